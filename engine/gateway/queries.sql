-- name: begin
-- Open the ledger row of a call, once.
INSERT INTO effect (call_key, tenant, workflow, thread_id, case_id, run_id, stage, tool, tool_version, effect_class, args,
                    args_hash, action_digest, approval_id, idempotency_key, state, attempt, attempt_epoch, compensates,
                    due_at)
VALUES (%(call_key)s, %(tenant)s, %(workflow)s, %(thread_id)s, %(case_id)s, %(run_id)s, %(stage)s, %(tool)s,
        %(tool_version)s, %(effect_class)s, %(args)s, %(args_hash)s, %(action_digest)s, %(approval_id)s,
        %(idempotency_key)s, 'started', %(attempt)s, %(epoch)s, %(compensates)s,
        CASE WHEN %(queued)s THEN now() END)
ON CONFLICT DO NOTHING RETURNING call_key;

-- name: row
-- The ledger row of a call, held until the transaction ends, with the seconds since its first and its last attempt.
SELECT *, extract(epoch FROM now() - opened_at)::float8 AS age_s,
       extract(epoch FROM now() - started_at)::float8 AS attempt_age_s
FROM effect WHERE call_key = %(call_key)s FOR UPDATE;

-- name: has_begun
-- The ledger row of a call, if there is one.
SELECT 1 FROM effect WHERE call_key = %(call_key)s;

-- name: again
-- A new attempt of a call that may be repeated.
UPDATE effect SET state = 'started', attempt = attempt + 1, attempt_epoch = %(epoch)s, started_at = now(),
                  finished_at = NULL
WHERE call_key = %(call_key)s;

-- name: take_over
-- Go on with the attempt of a worker that is gone.
UPDATE effect SET attempt_epoch = %(epoch)s WHERE call_key = %(call_key)s;

-- name: close
-- Record what became of an attempt; by attempt and not by lease, because it is the truth about the world.
UPDATE effect SET state = %(state)s, result = %(result)s, error = %(error)s, finished_at = now(), due_at = NULL
WHERE call_key = %(call_key)s AND attempt = %(attempt)s AND state = 'started' RETURNING call_key;

-- name: abandon
-- Record that nobody knows what became of the writes that an ended run had under way; what stands in the outbox is sent.
UPDATE effect SET state = 'unknown', error = %(error)s, finished_at = now()
WHERE run_id = %(run_id)s AND state = 'started' AND effect_class <> 'read' AND due_at IS NULL
RETURNING call_key, tool, attempt;

-- name: count_calls
-- How many calls a case has made over all its runs, and what became of those that were the same as one.
SELECT count(*) AS calls, count(*) FILTER (WHERE same) AS same,
       count(*) FILTER (WHERE same AND state = 'refused') AS same_failed,
       coalesce((array_agg(error ->> 'detail' ORDER BY started_at DESC) FILTER (WHERE same AND state = 'refused'))[1], '')
           AS last_failure
FROM (SELECT state, error, started_at, tool = %(tool)s AND args_hash = %(args_hash)s AS same
      FROM effect WHERE case_id = %(case_id)s) AS made;

-- name: finished
-- The calls of a case that were carried out, in the order in which they ended.
SELECT tool, args, result FROM effect
WHERE case_id = %(case_id)s AND state IN ('done', 'resolved_done') ORDER BY finished_at, call_key;

-- name: finished_on_thread
-- The calls of a thread that were carried out, in the order in which they ended.
SELECT tool, args, result FROM effect
WHERE thread_id = %(thread_id)s AND state IN ('done', 'resolved_done') ORDER BY finished_at, call_key;

-- name: find_record
-- One record of a system.
SELECT kind, key, version, value FROM tool_record
WHERE tenant = %(tenant)s AND system = %(system)s AND kind = %(kind)s AND key = %(key)s;

-- name: hold_place
-- Keep others from a record of a system until the transaction ends, also where there is none yet.
SELECT pg_advisory_xact_lock(hashtextextended(
    concat_ws(':', 'record', %(tenant)s::text, %(system)s::text, %(kind)s::text, %(key)s::text), 0));

-- name: hold_record
-- One record of a system, held until the transaction ends.
SELECT kind, key, version, value FROM tool_record
WHERE tenant = %(tenant)s AND system = %(system)s AND kind = %(kind)s AND key = %(key)s FOR UPDATE;

-- name: add_record
-- Keep a new record of a system.
INSERT INTO tool_record (tenant, system, kind, key, value)
VALUES (%(tenant)s, %(system)s, %(kind)s, %(key)s, %(value)s)
ON CONFLICT DO NOTHING RETURNING kind, key, version, value;

-- name: change_record
-- Replace a record of a system that nobody has changed since it was found.
UPDATE tool_record SET value = %(value)s, version = version + 1, updated_at = now()
WHERE tenant = %(tenant)s AND system = %(system)s AND kind = %(kind)s AND key = %(key)s AND version = %(version)s
RETURNING kind, key, version, value;

-- name: remove_record
-- Forget a record of a system that nobody has changed since it was found.
DELETE FROM tool_record
WHERE tenant = %(tenant)s AND system = %(system)s AND kind = %(kind)s AND key = %(key)s AND version = %(version)s
RETURNING key;

-- name: due
-- Outbox calls by these tools whose time has come, with the seconds since their first attempt, held while being taken.
SELECT effect.*, extract(epoch FROM now() - effect.started_at)::float8 AS attempt_age_s,
       run.requester, run.actor, run.version
FROM effect JOIN run ON run.id = effect.run_id
WHERE effect.due_at <= now() AND concat(effect.tool, '@', effect.tool_version) = ANY(%(contracts)s)
ORDER BY effect.due_at LIMIT %(limit)s FOR UPDATE OF effect SKIP LOCKED;

-- name: orphans
-- Outbox calls that have waited for a day and that no tool known here can send.
SELECT * FROM effect WHERE due_at < now() - interval '1 day' AND concat(tool, '@', tool_version) <> ALL(%(contracts)s)
ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED;

-- name: take
-- Begin an attempt to deliver; if its worker dies over it, the call is due again.
UPDATE effect SET attempt = attempt + 1, error = NULL, due_at = now() + %(pause)s,
                  started_at = CASE WHEN attempt = 0 THEN now() ELSE started_at END
WHERE call_key = %(call_key)s;

-- name: postpone
-- Look at an outbox call later, as if it had not been due yet.
UPDATE effect SET due_at = now() + %(pause)s WHERE call_key = %(call_key)s;

-- name: keep_trying
-- Remember why an outbox call was not delivered this time, and when it is sent next.
UPDATE effect SET error = %(error)s, due_at = now() + %(pause)s
WHERE call_key = %(call_key)s AND attempt = %(attempt)s AND state = 'started';

-- name: backlog
-- Effects that are not settled, by tool and state.
SELECT tool, state, count(*) AS effects, max(extract(epoch FROM now() - started_at))::float8 AS oldest_s
FROM effect WHERE state IN ('started', 'unknown') AND effect_class <> 'read' GROUP BY tool, state ORDER BY tool, state;

-- name: consumed_approvals
-- Approvals whose calls have ended.
SELECT approval_id FROM effect
WHERE thread_id = %(thread_id)s AND approval_id IS NOT NULL
  AND state NOT IN ('started', 'unknown', 'resolved_not_done');

-- name: unknown
-- Effects of a tenant of which nobody knows whether they happened.
SELECT e.call_key, e.run_id, e.thread_id, e.stage, e.tool, e.error ->> 'detail' AS detail,
       extract(epoch FROM now() - e.started_at)::float8 AS for_s
FROM effect e JOIN run r ON r.id = e.run_id
WHERE r.tenant = %(tenant)s AND e.state = 'unknown' AND e.effect_class <> 'read' ORDER BY e.started_at LIMIT 500;

-- name: search
-- Effects of a tenant, the one that was begun first at the top.
SELECT * FROM effect_shown WHERE tenant = %(tenant)s
  AND (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
  AND (%(tool)s::text IS NULL OR tool = %(tool)s)
  AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s)
ORDER BY opened_at, call_key LIMIT %(limit)s OFFSET %(offset)s;

-- name: effect
-- One effect of a tenant.
SELECT * FROM effect_shown WHERE call_key = %(call_key)s AND tenant = %(tenant)s;

-- name: to_undo
-- What was done under an approval, held, and whether it may still be taken back.
SELECT effect.*, finished_at + %(grace)s > now() AS in_time,
       (SELECT call_key FROM effect AS undoing WHERE undoing.compensates = effect.call_key) AS undone_by
FROM effect WHERE approval_id = %(approval_id)s FOR UPDATE;

-- name: by_approval
-- The effect that consumed an approval.
SELECT * FROM effect_shown WHERE approval_id = %(approval_id)s AND tenant = %(tenant)s;

-- name: park
-- Have a case wait for a person to find out, in the transaction that saves its interrupt.
UPDATE effect SET interrupt_id = %(interrupt_id)s
WHERE call_key = %(call_key)s AND thread_id = %(thread_id)s RETURNING tool, stage, state;

-- name: parked_effects
-- Effects at which a thread ever parked, oldest first.
SELECT * FROM effect_shown WHERE thread_id = %(thread_id)s AND interrupt_id IS NOT NULL ORDER BY opened_at;

-- name: resolve
-- Record what a person found out about an effect of unknown outcome: exactly one resolution wins.
UPDATE effect SET state = %(state)s, resolution = %(resolution)s, resolved_by = %(by)s, resolved_at = now(),
                  note = %(note)s, result = %(result)s, error = %(error)s,
                  due_at = CASE WHEN %(queued)s THEN now() END,
                  started_at = CASE WHEN %(queued)s THEN now() ELSE started_at END,
                  finished_at = CASE WHEN %(queued)s THEN NULL ELSE finished_at END
WHERE call_key = %(call_key)s AND state = 'unknown' RETURNING state;

-- name: has_acted
-- Any write that a run has begun.
SELECT 1 FROM effect WHERE run_id = %(run_id)s AND effect_class <> 'read' AND state <> 'refused' LIMIT 1;

-- name: unknown_of_thread
-- How many effects of a thread nobody knows the outcome of.
SELECT count(*) AS effects FROM effect WHERE thread_id = %(thread_id)s AND state = 'unknown';

-- name: waiting_effects
-- Effects of a thread that wait for somebody who finds out what became of them.
SELECT 'effect' AS kind, call_key AS id, run_id, interrupt_id, stage, 'what became of ' || tool AS asks, '' AS role,
       '' AS queue, started_at AS since, NULL::timestamptz AS due_at, NULL::timestamptz AS expires_at
FROM effect WHERE thread_id = %(thread_id)s AND state = 'unknown' AND interrupt_id IS NOT NULL ORDER BY started_at;

-- name: seen_before
-- Which of these values a case has proposed though they came from nowhere trusted, and to which the tool has acted.
SELECT mark, 'untrusted' AS how FROM untrusted_value WHERE tenant = %(tenant)s AND mark = ANY (%(marks)s)
UNION ALL
SELECT DISTINCT party.mark, 'party' FROM effect_party AS party JOIN effect USING (call_key)
WHERE party.tenant = %(tenant)s AND party.tool = %(tool)s AND party.mark = ANY (%(parties)s)
  AND effect.state IN ('done', 'resolved_done');

-- name: remember_untrusted
-- Keep values that came from nowhere trusted.
INSERT INTO untrusted_value (tenant, mark, tool, thread_id)
SELECT %(tenant)s, mark, %(tool)s, %(thread_id)s FROM unnest(%(marks)s::text[]) AS mark ON CONFLICT DO NOTHING;

-- name: remember_parties
-- Keep to whom a call goes.
INSERT INTO effect_party (call_key, tenant, tool, mark)
SELECT %(call_key)s, %(tenant)s, %(tool)s, mark FROM unnest(%(marks)s::text[]) AS mark ON CONFLICT DO NOTHING;
