-- name: insert
-- Keep a schedule.
INSERT INTO schedule (id, tenant, requester, cron, timezone, assistant_id, thread_id, on_run_completed, enabled, end_at,
                      payload, metadata, next_run_at)
VALUES (%(id)s, %(tenant)s, %(requester)s, %(cron)s, %(timezone)s, %(assistant_id)s, %(thread_id)s,
        %(on_run_completed)s, %(enabled)s, %(end_at)s, %(payload)s, %(metadata)s, %(next_run_at)s)
RETURNING *;

-- name: schedule
-- One schedule of a tenant.
SELECT * FROM schedule WHERE id = %(id)s AND tenant = %(tenant)s;

-- name: lock
-- One schedule of a tenant, held until the transaction ends; no worker fires it meanwhile.
SELECT * FROM schedule WHERE id = %(id)s AND tenant = %(tenant)s FOR UPDATE;

-- name: change
-- Give a schedule another plan.
UPDATE schedule SET requester = %(requester)s, cron = %(cron)s, timezone = %(timezone)s,
                    on_run_completed = %(on_run_completed)s, enabled = %(enabled)s, end_at = %(end_at)s,
                    payload = %(payload)s, metadata = %(metadata)s, next_run_at = %(next_run_at)s, updated_at = now()
WHERE id = %(id)s RETURNING *;

-- name: delete
-- Remove a schedule; its runs stay.
DELETE FROM schedule WHERE id = %(id)s;

-- name: due
-- The schedule that has been due for longest and that no other worker is at.
SELECT * FROM schedule WHERE next_run_at <= %(now)s AND id <> ALL (%(without)s::uuid[])
ORDER BY next_run_at LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: fired
-- Note what came of a due time, and when the next one is; nothing if the due time has been dealt with.
UPDATE schedule SET next_run_at = %(next_run_at)s, enabled = %(enabled)s, last_run_at = %(now)s,
                    last_run_id = %(run_id)s, last_error = %(error)s
WHERE id = %(id)s AND next_run_at = %(due)s RETURNING id;

-- name: end
-- A schedule that is not due any more.
UPDATE schedule SET next_run_at = NULL WHERE id = %(id)s;

-- name: search
-- A page of a tenant's schedules, and how many there are; an empty page has one row without an id.
WITH found AS (
    SELECT *, CASE %(sort_by)s::text WHEN 'cron_id' THEN id::text WHEN 'assistant_id' THEN assistant_id::text
              WHEN 'thread_id' THEN thread_id::text ELSE to_char(CASE %(sort_by)s::text
                  WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at
                  WHEN 'next_run_date' THEN next_run_at WHEN 'end_time' THEN end_at END AT TIME ZONE 'UTC',
                  'YYYYMMDDHH24MISSUS') END AS sort_key
    FROM schedule
    WHERE tenant = %(tenant)s AND metadata @> %(metadata)s
      AND (%(assistant_id)s::uuid IS NULL OR assistant_id = %(assistant_id)s)
      AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s)
      AND (%(enabled)s::boolean IS NULL OR enabled = %(enabled)s)
), placed AS (
    SELECT *, row_number() OVER (ORDER BY CASE WHEN %(ascending)s THEN sort_key END,
                                          CASE WHEN NOT %(ascending)s THEN sort_key END DESC NULLS LAST, id) AS place
    FROM found
)
SELECT placed.*, total FROM (SELECT count(*) AS total FROM found) AS counted
LEFT JOIN placed ON place > %(offset)s AND place <= %(offset)s + %(limit)s
ORDER BY place;
