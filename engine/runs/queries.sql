-- name: insert_thread
-- Make a thread unless its id is taken.
INSERT INTO thread (id, tenant, metadata, workflow, ephemeral, ttl_minutes, on_expiry, expires_at)
VALUES (%(id)s, %(tenant)s, %(metadata)s, %(workflow)s, %(ephemeral)s, %(ttl_minutes)s::double precision, %(on_expiry)s,
        now() + make_interval(secs => %(ttl_minutes)s::double precision * 60))
ON CONFLICT DO NOTHING RETURNING *;

-- name: thread
-- One thread of a tenant.
SELECT * FROM thread WHERE id = %(id)s AND tenant = %(tenant)s AND deleted_at IS NULL;

-- name: lock_thread
-- One thread, held until the transaction ends. Locks are taken in the order thread, run (by
-- `seq`), approval, audit.
SELECT * FROM thread WHERE id = %(id)s AND tenant = %(tenant)s AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: take_thread
-- One thread, held until the transaction ends, unless somebody else holds it.
SELECT * FROM thread WHERE id = %(id)s AND tenant = %(tenant)s AND deleted_at IS NULL FOR NO KEY UPDATE SKIP LOCKED;

-- name: search_threads
-- Threads of a tenant that fit, in the order asked for.
SELECT * FROM thread
WHERE tenant = %(tenant)s AND deleted_at IS NULL AND NOT ephemeral
  AND (%(metadata)s::jsonb IS NULL OR metadata @> %(metadata)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(ids)s::uuid[] IS NULL OR id = ANY (%(ids)s))
ORDER BY CASE %(sort)s::text WHEN '+created_at' THEN created_at WHEN '+updated_at' THEN updated_at
                       WHEN '+state_updated_at' THEN updated_at END,
         CASE %(sort)s::text WHEN '-created_at' THEN created_at WHEN '-updated_at' THEN updated_at
                       WHEN '-state_updated_at' THEN updated_at END DESC,
         CASE %(sort)s::text WHEN '+thread_id' THEN id::text WHEN '+status' THEN status END,
         CASE %(sort)s::text WHEN '-thread_id' THEN id::text WHEN '-status' THEN status END DESC,
         id
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count_threads
-- How many threads of a tenant fit.
SELECT count(*) AS threads FROM thread
WHERE tenant = %(tenant)s AND deleted_at IS NULL AND NOT ephemeral
  AND (%(metadata)s::jsonb IS NULL OR metadata @> %(metadata)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(ids)s::uuid[] IS NULL OR id = ANY (%(ids)s));

-- name: update_thread
-- Merge metadata; set the thread's end if one is given.
UPDATE thread SET metadata = metadata || %(metadata)s, updated_at = now(),
                  ttl_minutes = coalesce(%(ttl_minutes)s::double precision, ttl_minutes), on_expiry = coalesce(%(on_expiry)s::text, on_expiry),
                  expires_at = coalesce(now() + make_interval(secs => %(ttl_minutes)s::double precision * 60), expires_at)
WHERE id = %(id)s RETURNING *;

-- name: mark_edited
-- Remember who first changed a thread's state from outside.
UPDATE thread SET edited_by = coalesce(edited_by, %(by)s), workflow = %(workflow)s, updated_at = now()
WHERE id = %(id)s;

-- name: disarm_delayed
-- Runs that a thread took for later do not act when one that edits it may go before them.
WITH delayed AS (
    SELECT id FROM run WHERE thread_id = %(thread_id)s AND status = 'pending' AND start_at > now()
    ORDER BY seq FOR NO KEY UPDATE)
UPDATE run SET acts = false FROM delayed WHERE run.id = delayed.id;

-- name: mark_deleted
-- Hide a thread and what its caller said of it, and wake who follows it.
UPDATE thread SET deleted_at = now(), metadata = '{}', updated_at = now() WHERE id = %(id)s
RETURNING pg_notify('gatehouse_run', id::text);

-- name: empty_runs
-- Hide a deleted thread's runs and what their callers sent.
UPDATE run SET deleted_at = now(), input = NULL, metadata = '{}', options = '{}'
WHERE thread_id = %(thread_id)s AND deleted_at IS NULL;

-- name: delete_events
-- Drop what was streamed on a thread.
DELETE FROM run_event e USING run r WHERE r.id = e.run_id AND r.thread_id = %(thread_id)s;

-- name: touch_thread
-- Give a thread the status that its newest run left.
UPDATE thread SET status = %(status)s, updated_at = now() WHERE id = %(id)s;

-- name: insert_run
-- Accept a run on its thread. One that goes on where the case or the thread stands pins what that stands under.
-- The thread is bound to the workflow, where it can be searched for also in what clients search by. While somebody follows
-- the thread, its runs are streamed although their callers do not ask for it.
WITH bound AS (
    UPDATE thread SET workflow = %(workflow)s, status = 'busy', updated_at = now(),
                      metadata = CASE WHEN ephemeral THEN metadata ELSE metadata || jsonb_strip_nulls(jsonb_build_object(
                          'graph_id', %(workflow)s::text, 'assistant_id', %(assistant_id)s::uuid::text)) END
    WHERE id = %(thread_id)s RETURNING watched_until > now() AS watched)
INSERT INTO run (id, thread_id, case_id, tenant, workflow, version, earlier_versions, kind, input, stream_modes, requester,
                 actor, assistant_id, metadata, multitask_strategy, options, acts, webhook, priority, start_at)
SELECT %(id)s, %(thread_id)s, %(case_id)s, %(tenant)s, %(workflow)s, coalesce(leg.version, %(version)s),
       coalesce(leg.earlier_versions, '{}'), %(kind)s, %(input)s,
       CASE WHEN bound.watched AND cardinality(%(stream_modes)s::text[]) = 0 THEN '{values}' ELSE %(stream_modes)s END,
       %(requester)s, %(actor)s,
       %(assistant_id)s::uuid, %(metadata)s, %(multitask_strategy)s, %(options)s, %(acts)s, %(webhook)s, %(priority)s,
       %(start_at)s
FROM bound LEFT JOIN LATERAL (
    SELECT version, earlier_versions, status, outcome FROM run
    WHERE thread_id = %(thread_id)s AND %(kind)s <> 'input' AND (%(kind)s = 'proceed' OR case_id = %(case_id)s)
    ORDER BY seq DESC LIMIT 1
) AS leg ON leg.status IN ('pending', 'running') OR (leg.status = 'interrupted' AND leg.outcome IS NULL)
RETURNING *;

-- name: run
-- One run of a tenant.
SELECT * FROM run WHERE id = %(id)s AND tenant = %(tenant)s AND deleted_at IS NULL;

-- name: runs_of_thread
-- A thread's runs, newest first.
SELECT * FROM run WHERE thread_id = %(thread_id)s AND tenant = %(tenant)s AND deleted_at IS NULL
  AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY seq DESC LIMIT %(limit)s OFFSET %(offset)s;

-- name: active_runs
-- Runs of a thread that have not ended.
SELECT * FROM run WHERE thread_id = %(thread_id)s AND status IN ('pending', 'running') ORDER BY seq;

-- name: lock_active_runs
-- Runs of a thread that have not ended, held until the transaction ends.
SELECT * FROM run WHERE thread_id = %(thread_id)s AND status IN ('pending', 'running') ORDER BY seq FOR NO KEY UPDATE;

-- name: inputs_of_thread
-- What a thread was given so far, and by whom.
SELECT input, requester FROM run WHERE thread_id = %(thread_id)s AND input IS NOT NULL ORDER BY seq;

-- name: runs_of_case
-- Every run of a case.
SELECT id FROM run WHERE case_id = %(case_id)s;

-- name: claim
-- Take a run if its time has come, nobody holds it and no earlier run of its thread is unfinished and due.
UPDATE run SET status = 'running', epoch = epoch + 1, attempts = attempts + 1, lease_owner = %(owner)s,
               lease_until = now() + %(lease)s, updated_at = now()
WHERE id = %(id)s
  AND ((status = 'pending' AND coalesce(start_at, now()) <= now()) OR (status = 'running' AND lease_until < now()))
  AND NOT EXISTS (SELECT 1 FROM run other WHERE other.thread_id = run.thread_id AND other.id <> run.id
                  AND (other.status = 'running' OR (other.status = 'pending' AND other.seq < run.seq
                                                    AND coalesce(other.start_at, now()) <= now())))
RETURNING *, epoch = 1 AND acts AND NOT EXISTS (
    SELECT 1 FROM run earlier WHERE earlier.thread_id = run.thread_id AND earlier.seq < run.seq) AS first;

-- name: renew
-- Hold a run longer, and hear whether somebody wants it cancelled.
UPDATE run SET lease_until = now() + %(lease)s WHERE id = %(id)s AND epoch = %(epoch)s AND status = 'running'
RETURNING cancel_requested_by, cancel_action;

-- name: release
-- Give a run back unfinished.
UPDATE run SET status = 'pending', lease_owner = NULL, lease_until = NULL, attempts = attempts - 1, updated_at = now()
WHERE id = %(id)s AND epoch = %(epoch)s AND status = 'running' RETURNING id;

-- name: finish
-- End a run, if this worker still holds it, free its thread for the next one and wake who waits.
WITH ended AS (
    UPDATE run SET status = %(status)s, outcome = %(outcome)s, error = %(error)s, lease_owner = NULL, lease_until = NULL,
                   stands_at = %(stands_at)s, updated_at = now(), finished_at = now()
    WHERE id = %(id)s AND epoch = %(epoch)s AND status = 'running' RETURNING id, thread_id, updated_at
), following AS (
    SELECT id, priority FROM run
    WHERE thread_id = %(thread_id)s AND status = 'pending' AND coalesce(start_at, now()) <= now() ORDER BY seq LIMIT 1
), freed AS (
    UPDATE thread SET status = CASE WHEN EXISTS (SELECT 1 FROM following) THEN 'busy' ELSE %(thread_status)s END,
                      updated_at = now()
    FROM ended WHERE thread.id = ended.thread_id
)
SELECT ended.updated_at, following.id AS next_id, following.priority AS next_priority,
       pg_notify('gatehouse_run', ended.id || ' ' || ended.thread_id)
FROM ended LEFT JOIN following ON true;

-- name: next_pending
-- The next run of a thread whose time has come.
SELECT id, priority FROM run
WHERE thread_id = %(thread_id)s AND status = 'pending' AND coalesce(start_at, now()) <= now() ORDER BY seq LIMIT 1;

-- name: lost
-- Runs that nobody is working on: expired leases, and pending ones whose wake-up seems lost; none that these versions
-- have refused.
SELECT id FROM run
WHERE (status = 'running' AND lease_until < now())
   OR (coalesce(refused_by, '') <> ALL (%(loaded)s) AND status = 'pending' AND greatest(updated_at, coalesce(start_at, updated_at)) < now() - interval '5 seconds'
       AND NOT EXISTS (SELECT 1 FROM run earlier WHERE earlier.thread_id = run.thread_id AND earlier.seq < run.seq
                       AND (earlier.status = 'running'
                            OR (earlier.status = 'pending' AND coalesce(earlier.start_at, now()) <= now()))))
ORDER BY priority DESC, seq LIMIT 100;

-- name: lock_run
-- Hold a run until the transaction ends, so that no worker takes it between two looks at it.
SELECT 1 FROM run WHERE id = %(id)s FOR NO KEY UPDATE;

-- name: request_cancel
-- Ask the worker that holds a run to stop it.
UPDATE run SET cancel_requested_by = %(by)s, cancel_action = %(action)s
WHERE id = %(id)s AND status = 'running' RETURNING id;

-- name: cancel_idle
-- End a run that no worker holds: one that has not begun, or one that waits for somebody.
UPDATE run SET status = 'interrupted', outcome = 'cancelled', updated_at = now(), finished_at = now()
WHERE id = %(id)s AND (status = 'pending' OR (status = 'interrupted' AND outcome IS NULL
                       AND NOT EXISTS (SELECT 1 FROM run later WHERE later.thread_id = run.thread_id
                                       AND later.seq > run.seq AND moved(later))))
RETURNING thread_id;

-- name: delete_run
-- Hide a run that has ended, and does not wait for somebody.
UPDATE run SET deleted_at = now()
WHERE id = %(id)s AND status NOT IN ('pending', 'running')
  AND NOT (status = 'interrupted' AND outcome IS NULL
           AND NOT EXISTS (SELECT 1 FROM run later WHERE later.thread_id = run.thread_id
                           AND later.seq > run.seq AND moved(later)))
RETURNING id;

-- name: delete_run_events
-- Drop what one run streamed.
DELETE FROM run_event WHERE run_id = %(id)s;

-- name: cancellable
-- Unfinished runs of a tenant by thread, ids or status.
SELECT * FROM run WHERE tenant = %(tenant)s AND status = ANY (%(statuses)s) AND deleted_at IS NULL
  AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s)
  AND (%(ids)s::uuid[] IS NULL OR id = ANY (%(ids)s))
ORDER BY seq LIMIT 1000;

-- name: count_model_call
-- Count one more model call of a run.
UPDATE run SET model_calls = model_calls + 1 WHERE id = %(id)s AND epoch = %(epoch)s RETURNING id;

-- name: case_model_calls
-- How many model calls a case has made over all its runs.
SELECT sum(model_calls) AS calls FROM run WHERE case_id = %(case_id)s;

-- name: insert_events
-- Keep stream events of a run in their order, and wake whoever follows it or its thread once they are committed.
WITH kept AS (
    INSERT INTO run_event (run_id, event, data)
    SELECT %(run_id)s, event, data FROM unnest(%(names)s::text[], %(data)s::text[]) WITH ORDINALITY AS new (event, data, i)
    ORDER BY i
)
SELECT pg_notify('gatehouse_run', %(run_id)s || ' ' || %(thread_id)s);

-- name: events_of_run
-- A page of a run's events after one, cut by number and by size; always at least one row, with the run's status.
SELECT run.status, page.seq, page.event, page.data
FROM run LEFT JOIN LATERAL (
    SELECT * FROM (
        SELECT seq, event, data, sum(octet_length(data)) OVER (ORDER BY seq) - octet_length(data) AS bytes_before
        FROM run_event WHERE run_id = run.id AND seq > %(after)s
          AND (%(names)s::text[] IS NULL OR split_part(event, '|', 1) = ANY (%(names)s))
        ORDER BY seq LIMIT %(rows)s) found
    WHERE bytes_before < %(bytes)s) page ON true
WHERE run.id = %(run_id)s AND run.tenant = %(tenant)s AND run.deleted_at IS NULL
ORDER BY page.seq;

-- name: events_of_thread
-- A page of the events of all of a thread's runs after one, of those that had not ended long before it; always at least
-- one row.
SELECT page.* FROM thread LEFT JOIN LATERAL (
    SELECT * FROM (
        SELECT *, sum(octet_length(data)) OVER (ORDER BY seq) - octet_length(data) AS bytes_before
        FROM (
            SELECT found.*, run.workflow, CASE WHEN event = 'done' THEN EXISTS (
                SELECT 1 FROM run later WHERE later.thread_id = run.thread_id AND later.seq > run.seq
                                          AND moved(later)) END AS went_on
            FROM run CROSS JOIN LATERAL (
                SELECT * FROM run_event WHERE run_id = run.id AND seq > %(after)s
                  AND (%(names)s::text[] IS NULL OR event = ANY (%(names)s))
                ORDER BY seq LIMIT %(rows)s) found
            WHERE run.thread_id = thread.id AND run.deleted_at IS NULL
              AND (%(seen_at)s::timestamptz IS NULL OR run.finished_at IS NULL
                   OR run.finished_at >= %(seen_at)s - interval '1 minute')
            ORDER BY found.seq LIMIT %(rows)s) few) measured
    WHERE bytes_before < %(bytes)s) page ON true
WHERE thread.id = %(thread_id)s AND thread.tenant = %(tenant)s AND thread.deleted_at IS NULL
ORDER BY page.seq;

-- name: current_case
-- The case that a thread works on, or worked on last: where its events begin, whether it goes on, and its age.
SELECT case_id, bool_or(status IN ('pending', 'running') OR (status = 'interrupted' AND outcome IS NULL)) AS open,
       extract(epoch FROM now() - max(created_at))::float8 AS age_s,
       (SELECT min(seq) FROM run_event WHERE run_id IN (SELECT id FROM run leg WHERE leg.case_id = run.case_id)) AS first
FROM run WHERE case_id = (
    SELECT case_id FROM run WHERE thread_id = %(thread_id)s
    ORDER BY status NOT IN ('pending', 'running'), CASE WHEN status IN ('pending', 'running') THEN seq ELSE -seq END
    LIMIT 1)
GROUP BY case_id;

-- name: last_event
-- The newest event of a thread up to one, and where its run's events begin.
SELECT e.seq, (SELECT min(seq) FROM run_event WHERE run_id = e.run_id) AS first
FROM run CROSS JOIN LATERAL (
    SELECT seq, run_id FROM run_event WHERE run_id = run.id AND seq <= %(upto)s ORDER BY seq DESC LIMIT 1) e
WHERE run.thread_id = %(thread_id)s ORDER BY e.seq DESC LIMIT 1;

-- name: untold
-- Whether those who follow a thread have not been told how a run ended.
SELECT NOT EXISTS (SELECT 1 FROM run_event WHERE run_id = %(run_id)s AND event = 'done') AS untold;

-- name: watch_thread
-- Have what begins on a thread within the next time streamed, although its caller does not ask for it.
UPDATE thread SET watched_until = now() + %(for)s WHERE id = %(thread_id)s;

-- name: tell_end
-- Keep as a run's last events how it failed, if it did, and that it is done.
INSERT INTO run_event (run_id, event, data)
SELECT id, event, data FROM run CROSS JOIN LATERAL (VALUES
    (1, 'error', error::text),
    (2, 'done', jsonb_build_object('status', 'run_done', 'run_id', id, 'run_status', status, 'outcome', outcome)::text)
) AS last (i, event, data)
WHERE id = %(run_id)s AND data IS NOT NULL ORDER BY i;

-- name: insert_state_update
-- Tell those who follow a thread that its state was written from outside; kept beside its newest run.
WITH kept AS (
    INSERT INTO run_event (run_id, event, data)
    SELECT id, 'state_update', jsonb_build_object('checkpoint_id', %(checkpoint_id)s::text)::text
    FROM run WHERE thread_id = %(thread_id)s::text::uuid ORDER BY seq DESC LIMIT 1
)
SELECT pg_notify('gatehouse_run', %(thread_id)s::text);

-- name: notify
-- Wake whoever waits for this run or follows its thread.
SELECT pg_notify('gatehouse_run', id || ' ' || thread_id) FROM run WHERE id = %(run_id)s;

-- name: notify_cancel
-- Tell the worker that holds this run that somebody wants it cancelled.
SELECT pg_notify('gatehouse_run', 'cancel:' || %(run_id)s);

-- name: backlog
-- Unfinished runs by workflow and by what they wait for.
SELECT workflow, standing, count(*) AS runs, greatest(0, max(extract(epoch FROM now() - since)))::float8 AS oldest_s
FROM (
    SELECT run.workflow,
           CASE WHEN run.status = 'running' AND run.lease_until < now() THEN 'orphaned'
                WHEN run.status = 'running' THEN 'running'
                WHEN run.start_at > now() THEN 'delayed'
                WHEN run.refused_by IS NOT NULL THEN 'held'
                WHEN EXISTS (SELECT 1 FROM run other WHERE other.thread_id = run.thread_id AND other.id <> run.id
                             AND (other.status = 'running' OR (other.status = 'pending' AND other.seq < run.seq
                                                               AND coalesce(other.start_at, now()) <= now())))
                THEN 'blocked' ELSE 'ready' END AS standing,
           CASE WHEN run.status = 'running' THEN run.updated_at
                ELSE greatest(run.created_at, run.start_at) END AS since
    FROM run WHERE run.status IN ('pending', 'running')
) AS unfinished GROUP BY workflow, standing ORDER BY workflow, standing;

-- name: newest_leg
-- The newest run of the case that a run belongs to: its version is the case's pin.
SELECT leg.* FROM run asked JOIN run leg ON leg.case_id = asked.case_id
WHERE asked.id = %(id)s ORDER BY leg.seq DESC LIMIT 1;

-- name: parked_leg
-- The run at which a thread stands if it waits for somebody.
SELECT * FROM (SELECT * FROM run WHERE thread_id = %(thread_id)s AND moved(run) ORDER BY seq DESC LIMIT 1) AS leg
WHERE leg.status = 'interrupted' AND leg.outcome IS NULL;

-- name: repin
-- Move a run that nobody holds to another version.
UPDATE run SET version = %(version)s, earlier_versions = array_append(earlier_versions, version), refused_by = NULL
WHERE id = %(id)s AND version = %(from)s AND (status = 'pending' OR (status = 'interrupted' AND outcome IS NULL))
RETURNING *;

-- name: repin_claimed
-- Move a run to another version, if this worker still holds it; one that has not begun leaves none behind.
UPDATE run SET version = %(version)s, refused_by = NULL,
               earlier_versions = earlier_versions || CASE WHEN %(begun)s THEN ARRAY[version] ELSE '{}' END
WHERE id = %(id)s AND epoch = %(epoch)s AND status = 'running' RETURNING *;

-- name: later_leg
-- Whether a thread has gone on after this run.
SELECT id FROM run
WHERE thread_id = %(thread_id)s AND seq > (SELECT seq FROM run WHERE id = %(id)s) AND moved(run) LIMIT 1;

-- name: hold
-- Give a run back for workers that have loaded another version than this one.
UPDATE run SET status = 'pending', lease_owner = NULL, lease_until = NULL, attempts = attempts - 1,
               refused_by = %(refused_by)s, updated_at = now()
WHERE id = %(id)s AND epoch = %(epoch)s AND status = 'running' RETURNING id;

-- name: hold_new
-- Leave a tenant's runs that have not begun under a version to workers that have loaded another one.
WITH waiting AS (
    SELECT id FROM run
    WHERE tenant = %(tenant)s AND version = %(version)s AND status = 'pending' AND kind = 'input' AND epoch = 0
    ORDER BY seq FOR NO KEY UPDATE)
UPDATE run SET refused_by = %(version)s FROM waiting WHERE run.id = waiting.id;

-- name: release_held
-- Let the workers of a version look again at what they left to others.
WITH held AS (
    SELECT id FROM run WHERE tenant = %(tenant)s AND refused_by = %(version)s AND status = 'pending'
    ORDER BY seq FOR NO KEY UPDATE)
UPDATE run SET refused_by = NULL FROM held WHERE run.id = held.id;

-- name: in_use
-- How many of a tenant's cases are under way, wait or are held up, by version.
SELECT version, count(*) FILTER (WHERE NOT parked) AS active, count(*) FILTER (WHERE parked) AS parked,
       count(*) FILTER (WHERE refused_by IS NOT NULL) AS held
FROM standing_run WHERE tenant = %(tenant)s GROUP BY version;

-- name: in_use_by_all
-- How many cases that are not over stand on each version, of all tenants.
SELECT workflow, version, count(*) AS cases FROM standing_run GROUP BY workflow, version ORDER BY workflow, version;

-- name: standing_on
-- Runs of a tenant that a version has not finished, in parts.
SELECT id, seq FROM standing_run
WHERE tenant = %(tenant)s AND version = %(version)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s;

-- name: parked_stages
-- Stages at which cases wait, of one version or of all.
SELECT workflow, stage, count(*) AS waiting FROM standing_run, unnest(stands_at) AS stage
WHERE parked AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
  AND (%(version)s::text IS NULL OR version = %(version)s)
GROUP BY workflow, stage ORDER BY workflow, stage;

-- name: unfinished_threads
-- Threads with a run under way, or one that goes on where another stopped.
SELECT DISTINCT s.thread_id, s.workflow FROM standing_run s JOIN run USING (id)
WHERE NOT s.parked AND (run.epoch > 0 OR run.kind <> 'input');

-- name: find
-- A tenant's runs as operators see them, newest first; `waits` for one that stands at a gate or a question.
SELECT id AS run_id, thread_id, case_id, workflow, version, kind, status, outcome, requester, actor, attempts, epoch,
       lease_owner, lease_until, start_at, created_at, updated_at, finished_at, error,
       status = 'interrupted' AND outcome IS NULL AND NOT EXISTS (
           SELECT 1 FROM run later WHERE later.thread_id = run.thread_id AND later.seq > run.seq
                                     AND moved(later)) AS waits
FROM run
WHERE tenant = %(tenant)s AND deleted_at IS NULL AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
  AND (%(requester)s::text IS NULL OR requester = %(requester)s)
ORDER BY seq DESC LIMIT %(limit)s;

-- name: facts
-- One run as operators see it.
SELECT id AS run_id, thread_id, case_id, workflow, version, kind, status, outcome, requester, actor, attempts, epoch,
       lease_owner, lease_until, start_at, created_at, updated_at, finished_at, error, priority, multitask_strategy,
       metadata, model_calls, cancel_requested_by,
       status = 'interrupted' AND outcome IS NULL AND NOT EXISTS (
           SELECT 1 FROM run later WHERE later.thread_id = run.thread_id AND later.seq > run.seq
                                     AND moved(later)) AS waits
FROM run WHERE id = %(id)s AND tenant = %(tenant)s AND deleted_at IS NULL;

-- name: legs
-- Every run of a case, oldest first.
SELECT id AS run_id, kind, status, outcome, created_at, finished_at FROM run
WHERE case_id = %(case_id)s AND deleted_at IS NULL ORDER BY seq;

-- name: suspects
-- Unfinished runs that do not move although they should.
SELECT id AS run_id, thread_id, workflow, status, attempts, lease_owner, kind, version, refused_by,
       extract(epoch FROM now() - since)::float8 AS for_s
FROM (
    SELECT run.id, run.seq, run.thread_id, run.workflow, run.status, run.attempts, run.lease_owner,
           run.version, run.refused_by,
           CASE WHEN run.status = 'running' AND run.lease_until < now() THEN 'orphaned'
                WHEN run.status = 'pending' AND run.refused_by IS NOT NULL THEN 'held'
                WHEN run.status = 'pending' AND coalesce(run.start_at, now()) <= now()
                     AND greatest(run.updated_at, run.start_at) < now() - make_interval(secs => %(pending_s)s)
                     AND NOT EXISTS (SELECT 1 FROM run other WHERE other.thread_id = run.thread_id AND other.id <> run.id
                                     AND (other.status = 'running' OR (other.status = 'pending' AND other.seq < run.seq
                                          AND coalesce(other.start_at, now()) <= now()))) THEN 'pending'
                WHEN run.attempts >= %(attempts)s THEN 'attempts' END AS kind,
           CASE WHEN run.status = 'running' AND run.lease_until < now() THEN run.lease_until
                WHEN run.status = 'running' THEN run.created_at
                ELSE greatest(run.updated_at, run.start_at) END AS since
    FROM run WHERE run.tenant = %(tenant)s AND run.status IN ('pending', 'running')
) AS unfinished WHERE kind IS NOT NULL ORDER BY seq LIMIT 500;

-- name: newest_thread
-- The thread that changed last.
SELECT id, tenant FROM thread WHERE workflow IS NOT NULL AND deleted_at IS NULL ORDER BY updated_at DESC LIMIT 1;

-- name: visit_thread
-- Make a thread whose state another server keeps.
INSERT INTO thread (id, tenant, workflow, status, carried_by)
VALUES (%(id)s, %(tenant)s, %(workflow)s, 'busy', %(carried_by)s) ON CONFLICT DO NOTHING;

-- name: leave_visits
-- Put an end to what another server carried: on a thread but for one run, or all that one process did.
UPDATE run SET status = 'interrupted', lease_owner = NULL, lease_until = NULL, updated_at = now()
WHERE status = 'running' AND id <> %(but)s
  AND ((%(thread_id)s::uuid IS NOT NULL AND thread_id = %(thread_id)s) OR lease_owner = %(owner)s);

-- name: visit
-- The run that another server carries, held by this process from now on; nobody of ours takes it over.
INSERT INTO run (id, thread_id, case_id, tenant, workflow, version, kind, status, requester, actor, epoch, lease_owner,
                 lease_until, input)
SELECT %(id)s, %(thread_id)s, coalesce((SELECT case_id FROM run WHERE thread_id = %(thread_id)s ORDER BY seq LIMIT 1),
       %(id)s), %(tenant)s, %(workflow)s, %(version)s, 'proceed', 'running', %(requester)s, %(actor)s, 1, %(owner)s,
       now() + interval '100 years', %(input)s
ON CONFLICT (id) DO UPDATE SET epoch = run.epoch + 1, status = 'running', version = excluded.version,
       lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
WHERE run.thread_id = excluded.thread_id RETURNING *;

-- name: ended_threads
-- Threads whose time is over, and those made for one run that was over a while ago; none that waits or is at work.
SELECT id, tenant, updated_at, CASE WHEN ephemeral THEN 'delete' ELSE coalesce(on_expiry, 'delete') END AS strategy
FROM thread
WHERE deleted_at IS NULL AND status IN ('idle', 'error')
  AND (expires_at <= now() OR (ephemeral AND updated_at <= now() - %(ephemeral)s))
  AND (%(after_at)s::timestamptz IS NULL OR (updated_at, id) > (%(after_at)s, %(after_id)s))
ORDER BY updated_at, id LIMIT %(limit)s;

-- name: resting_threads
-- Threads that have not changed for a while, nor were looked at since; none that waits or is at work.
SELECT id, tenant, updated_at, NULL AS strategy FROM thread
WHERE deleted_at IS NULL AND (pruned_at IS NULL OR pruned_at < updated_at) AND status IN ('idle', 'error')
  AND updated_at <= now() - %(idle)s
  AND (%(after_at)s::timestamptz IS NULL OR (updated_at, id) > (%(after_at)s, %(after_id)s))
ORDER BY updated_at, id LIMIT %(limit)s;

-- name: take_unchanged
-- Hold a thread that is as it was found, unless somebody else holds it.
SELECT id FROM thread
WHERE id = %(id)s AND updated_at = %(updated_at)s AND deleted_at IS NULL AND status IN ('idle', 'error')
FOR NO KEY UPDATE SKIP LOCKED;

-- name: note_pruned
-- Remember that a thread's history was looked at.
UPDATE thread SET pruned_at = now(), expires_at = CASE WHEN %(ends)s THEN NULL ELSE expires_at END WHERE id = %(id)s;

-- name: forget_events
-- Delete stream events of runs that ended long ago.
DELETE FROM run_event WHERE (run_id, seq) IN (
    SELECT e.run_id, e.seq FROM run_event e JOIN run r ON r.id = e.run_id
    WHERE e.at < now() - %(older)s AND r.finished_at < now() - %(older)s LIMIT %(limit)s);

-- name: old_events
-- How many stream events belong to runs that ended long ago.
SELECT count(*) AS events FROM run_event e JOIN run r ON r.id = e.run_id
WHERE e.at < now() - %(older)s AND r.finished_at < now() - %(older)s;

-- name: tenants_of_threads
-- The tenant of every thread.
SELECT id, tenant FROM thread;
