-- name: begin
-- Open the ledger row of a call, once.
INSERT INTO effect (call_key, thread_id, case_id, run_id, stage, tool, tool_version, effect_class, args, args_hash,
                    action_digest, approval_id, idempotency_key, state, attempt_epoch)
VALUES (%(call_key)s, %(thread_id)s, %(case_id)s, %(run_id)s, %(stage)s, %(tool)s, %(tool_version)s, %(effect_class)s, %(args)s,
        %(args_hash)s, %(action_digest)s, %(approval_id)s, %(idempotency_key)s, 'started', %(epoch)s)
ON CONFLICT DO NOTHING;

-- name: row
-- The ledger row of a call, held until the transaction ends.
SELECT * FROM effect WHERE call_key = %(call_key)s FOR UPDATE;

-- name: again
-- A new attempt of a call that may be repeated.
UPDATE effect SET state = 'started', attempt = attempt + 1, attempt_epoch = %(epoch)s, started_at = now(),
                  finished_at = NULL
WHERE call_key = %(call_key)s;

-- name: close
-- Record what became of an attempt; by attempt and not by lease, because it is the truth about the world.
UPDATE effect SET state = %(state)s, result = %(result)s, error = %(error)s, finished_at = now()
WHERE call_key = %(call_key)s AND attempt = %(attempt)s AND state = 'started' RETURNING call_key;

-- name: abandon
-- Record that nobody knows what became of the writes that an ended run had under way.
UPDATE effect SET state = 'unknown', error = %(error)s, finished_at = now()
WHERE run_id = %(run_id)s AND state = 'started' AND effect_class <> 'read' RETURNING call_key, tool, attempt;

-- name: count_calls
-- How many calls a case has made over all its runs.
SELECT count(*) AS calls FROM effect WHERE case_id = %(case_id)s;

-- name: backlog
-- Effects that are not settled, by tool and state.
SELECT tool, state, count(*) AS effects, max(extract(epoch FROM now() - started_at))::float8 AS oldest_s
FROM effect WHERE state IN ('started', 'unknown') AND effect_class <> 'read' GROUP BY tool, state ORDER BY tool, state;
