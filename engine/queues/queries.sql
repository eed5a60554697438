-- name: hold
-- A tenant's queue, held until the transaction ends: who looks for room looks alone.
SELECT 1 FROM review_queue WHERE tenant = %(tenant)s AND name = %(queue)s FOR UPDATE;

-- name: make
-- The first time that anything is to be known of a tenant's queue.
INSERT INTO review_queue (tenant, name) VALUES (%(tenant)s, %(queue)s) ON CONFLICT DO NOTHING;

-- name: load
-- What a tenant has in a queue, in one snapshot: a case that is on its way and asks meanwhile counts once.
SELECT count(DISTINCT case_id) AS depth, count(requested_at) AS open,
       count(*) FILTER (WHERE due_at < now()) AS overdue, min(requested_at) AS oldest_at
FROM review_load
WHERE tenant = %(tenant)s AND (queue = %(queue)s OR workflow = ANY (%(workflows)s));

-- name: loads
-- What tenants have in their queues; runs are on their way to where their workflow is reviewed.
SELECT tenant, queue, count(DISTINCT case_id) AS depth, count(requested_at) AS open,
       count(*) FILTER (WHERE due_at < now()) AS overdue, min(requested_at) AS oldest_at
FROM (
    SELECT load.tenant, coalesce(load.queue, reviewed.queue) AS queue, case_id, requested_at, due_at
    FROM review_load load
    LEFT JOIN unnest(%(workflows)s::text[], %(queues)s::text[]) AS reviewed (workflow, queue) USING (workflow)
    WHERE %(tenant)s::text IS NULL OR load.tenant = %(tenant)s
) AS placed WHERE queue = ANY (%(queues)s) GROUP BY tenant, queue;

-- name: pause
-- Take no new work of a tenant in a queue.
UPDATE review_queue SET paused_by = %(by)s, paused_at = now(), pause_reason = %(reason)s
WHERE tenant = %(tenant)s AND name = %(queue)s AND paused_by IS NULL RETURNING name;

-- name: resume
-- Take new work again.
UPDATE review_queue SET paused_by = NULL, paused_at = NULL, pause_reason = ''
WHERE tenant = %(tenant)s AND name = %(queue)s AND paused_by IS NOT NULL RETURNING name;

-- name: pauses
-- The queues of a tenant that somebody has paused.
SELECT name, paused_by, paused_at, pause_reason FROM review_queue WHERE tenant = %(tenant)s AND paused_by IS NOT NULL;

-- name: throttled
-- Count what was refused in the period that goes on, or in one that has just ended for the same cause: at the limit
-- places come and go one by one. Nothing, where there is no such period.
UPDATE queue_throttle SET until = NULL, refused = refused + %(refused)s WHERE id = (
    SELECT id FROM queue_throttle
    WHERE tenant = %(tenant)s AND queue = %(queue)s
      AND (until IS NULL OR (cause = %(cause)s AND until > now() - interval '5 seconds'))
    ORDER BY until IS NULL DESC, since DESC LIMIT 1)
RETURNING id;

-- name: throttle
-- Begin a period in which a queue takes no new work, unless one has begun.
INSERT INTO queue_throttle (tenant, queue, cause, refused)
VALUES (%(tenant)s, %(queue)s, %(cause)s, %(refused)s)
ON CONFLICT (tenant, queue) WHERE until IS NULL DO UPDATE SET refused = queue_throttle.refused + excluded.refused;

-- name: going_on
-- Periods that have not ended, and whether somebody still has their queue paused.
SELECT t.tenant, t.queue, t.cause, q.paused_by IS NOT NULL AS paused
FROM queue_throttle t LEFT JOIN review_queue q ON q.tenant = t.tenant AND q.name = t.queue
WHERE t.until IS NULL;

-- name: end_throttle
-- End the period of a tenant's queue, and forget those that ended long ago.
WITH old AS (
    DELETE FROM queue_throttle
    WHERE tenant = %(tenant)s AND queue = %(queue)s AND until < now() - interval '30 days')
UPDATE queue_throttle SET until = now() WHERE tenant = %(tenant)s AND queue = %(queue)s AND until IS NULL;

-- name: throttles
-- The last periods of a tenant's queue, newest first.
SELECT cause, since, until, refused, extract(epoch FROM coalesce(until, now()) - since)::float8 AS seconds
FROM queue_throttle WHERE tenant = %(tenant)s AND queue = %(queue)s ORDER BY since DESC LIMIT 20;

-- name: throttling
-- How long queues have taken no new work in the last 30 days, how often that was refused, and since when they do not.
SELECT tenant, queue, sum(extract(epoch FROM coalesce(until, now()) - since))::float8 AS throttled_s,
       sum(refused)::bigint AS refused, max(since) FILTER (WHERE until IS NULL) AS since,
       max(cause) FILTER (WHERE until IS NULL) AS cause
FROM queue_throttle WHERE %(tenant)s::text IS NULL OR tenant = %(tenant)s GROUP BY tenant, queue;

-- name: throttled_since
-- How long each queue of a tenant has taken no new work since then.
SELECT queue, sum(extract(epoch FROM coalesce(until, now()) - greatest(since, %(since)s)))::float8 AS seconds
FROM queue_throttle WHERE tenant = %(tenant)s AND coalesce(until, now()) > %(since)s GROUP BY queue;
