-- name: forget_others
-- Tell nobody any more by routes that are not configured.
DELETE FROM notify_route WHERE name <> ALL (%(names)s);

-- name: register
-- Tell by a route what it is configured for.
INSERT INTO notify_route (name, tenant, queues, events) VALUES (%(name)s, %(tenant)s, %(queues)s, %(events)s)
ON CONFLICT (name) DO UPDATE SET tenant = excluded.tenant, queues = excluded.queues, events = excluded.events;

-- name: routes_for
-- The routes that want to hear of something.
SELECT name FROM notify_route
WHERE tenant = %(tenant)s AND %(event)s = ANY (events) AND (queues = '{}' OR %(queue)s = ANY (queues)) ORDER BY name;
