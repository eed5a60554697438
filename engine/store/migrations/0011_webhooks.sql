-- Webhooks: who wants to hear of the end of a run.

CREATE TABLE webhook (
    id              uuid PRIMARY KEY,
    run_id          uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    thread_id       uuid NOT NULL,
    tenant          text NOT NULL,
    url             text NOT NULL,
    payload         jsonb NOT NULL,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
    attempts        integer NOT NULL DEFAULT 0,
    due_at          timestamptz DEFAULT now(),
    last_error      text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    CHECK ((status = 'pending') = (due_at IS NOT NULL))
);
CREATE INDEX webhook_due ON webhook (due_at) WHERE status = 'pending';
CREATE INDEX webhook_ended ON webhook (status, ended_at) WHERE status <> 'pending';
CREATE INDEX webhook_by_run ON webhook (run_id);
COMMENT ON COLUMN webhook.last_error IS 'what the last attempt came to; never a part of the answer';
