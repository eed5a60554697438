-- name: mode
-- The mode that was set for a workflow.
SELECT mode, reason, set_by, set_at FROM workflow_mode WHERE tenant = %(tenant)s AND workflow = %(workflow)s;

-- name: hold
-- Keep others from changing a workflow's mode until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(':', 'mode', %(tenant)s::text, %(workflow)s::text), 0));

-- name: set
-- From now on the workflow works in this mode.
INSERT INTO workflow_mode (tenant, workflow, mode, reason, set_by)
VALUES (%(tenant)s, %(workflow)s, %(mode)s, %(reason)s, %(by)s)
ON CONFLICT (tenant, workflow) DO UPDATE
SET mode = excluded.mode, reason = excluded.reason, set_by = excluded.set_by, set_at = now();

-- name: open_wish
-- The higher mode that somebody asked for and nobody has decided.
SELECT id, mode, reason, asked_by, asked_at FROM mode_wish
WHERE tenant = %(tenant)s AND workflow = %(workflow)s AND state = 'open';

-- name: wish
-- Ask for a higher mode.
INSERT INTO mode_wish (id, tenant, workflow, mode, reason, asked_by)
VALUES (%(id)s, %(tenant)s, %(workflow)s, %(mode)s, %(reason)s, %(by)s);

-- name: wish_by_id
-- One wish of a tenant.
SELECT mode, state, asked_by FROM mode_wish
WHERE id = %(id)s AND tenant = %(tenant)s AND workflow = %(workflow)s;

-- name: decide_wish
-- Somebody agreed to a higher mode, or did not.
UPDATE mode_wish SET state = %(state)s, decided_by = %(by)s, decided_at = now()
WHERE id = %(id)s AND state = 'open';

-- name: withdraw
-- What was asked for before counts no more.
UPDATE mode_wish SET state = 'withdrawn', decided_by = %(by)s, decided_at = now()
WHERE tenant = %(tenant)s AND workflow = %(workflow)s AND state = 'open';
