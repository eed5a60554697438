-- name: enqueue
-- Keep a webhook, in the transaction of what it tells.
INSERT INTO webhook (id, run_id, thread_id, tenant, url, route, payload)
VALUES (%(id)s, %(run_id)s, %(thread_id)s, %(tenant)s, %(url)s, %(route)s, %(payload)s);

-- name: due
-- Webhooks whose time has come, held while they are taken.
SELECT id FROM webhook WHERE status = 'pending' AND due_at <= now() ORDER BY due_at LIMIT %(limit)s
FOR UPDATE SKIP LOCKED;

-- name: take
-- Begin an attempt; if its worker dies over it, the webhook is due again.
UPDATE webhook SET attempts = attempts + 1, due_at = now() + %(silence)s WHERE id = ANY(%(ids)s) RETURNING *;

-- name: end
-- Deliver a webhook, or give it up.
UPDATE webhook SET status = %(status)s, last_error = %(error)s, due_at = NULL, ended_at = now()
WHERE id = %(id)s AND attempts = %(attempts)s AND status = 'pending' RETURNING id;

-- name: postpone
-- Try again later.
UPDATE webhook SET due_at = now() + %(pause)s, last_error = %(error)s
WHERE id = %(id)s AND attempts = %(attempts)s AND status = 'pending';

-- name: search
-- A tenant's webhooks, newest first.
SELECT * FROM webhook WHERE tenant = %(tenant)s AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY created_at DESC, id LIMIT %(limit)s OFFSET %(offset)s;

-- name: retry
-- Send a dead webhook once more, from the start.
UPDATE webhook SET status = 'pending', attempts = 0, due_at = now(), ended_at = NULL
WHERE id = %(id)s AND tenant = %(tenant)s AND status = 'dead' RETURNING *;

-- name: webhook
-- One webhook of a tenant.
SELECT * FROM webhook WHERE id = %(id)s AND tenant = %(tenant)s;

-- name: forget
-- Delete webhooks that were delivered long ago, or given up very long ago.
DELETE FROM webhook WHERE id IN (
    SELECT id FROM webhook WHERE (status = 'delivered' AND ended_at < now() - %(older)s)
        OR (status = 'dead' AND ended_at < now() - 10 * %(older)s::interval) LIMIT %(limit)s);

-- name: count_old
-- How many webhooks were delivered long ago, or given up very long ago.
SELECT count(*) AS webhooks FROM webhook WHERE (status = 'delivered' AND ended_at < now() - %(older)s)
    OR (status = 'dead' AND ended_at < now() - 10 * %(older)s::interval);
