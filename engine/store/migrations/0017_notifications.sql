-- Notifications: who is told of requests by a route, whose address only the configuration holds.

CREATE TABLE notify_route (
    name            text PRIMARY KEY,
    tenant          text NOT NULL,
    queues          text[] NOT NULL,
    events          text[] NOT NULL
);
COMMENT ON TABLE notify_route IS 'who wants to hear of requests, as the process that started last is configured';
COMMENT ON COLUMN notify_route.queues IS 'empty: every queue';

ALTER TABLE webhook
    ALTER COLUMN url DROP NOT NULL,
    ADD COLUMN route text,
    ADD CHECK ((url IS NULL) = (route IS NOT NULL));
COMMENT ON COLUMN webhook.route IS 'name of the route whose address is looked up when it is sent; instead of a url';
