-- name: freeze
-- Keep a frozen action once for each execution of its stage.
INSERT INTO approval (id, freeze_key, tenant, thread_id, run_id, workflow, version, requester, queue, tool, tool_version,
                      args, facts, action_digest, verdict, rule, why, role, quorum, policy_version, card, status,
                      decided_at, decided_by, reason, host)
VALUES (%(id)s, %(freeze_key)s, %(tenant)s, %(thread_id)s, %(run_id)s, %(workflow)s, %(version)s, %(requester)s,
        %(queue)s, %(tool)s, %(tool_version)s, %(args)s, %(facts)s, %(action_digest)s, %(verdict)s, %(rule)s, %(why)s,
        %(role)s, %(quorum)s, %(policy_version)s, %(card)s, %(status)s,
        CASE WHEN %(status)s = 'frozen' THEN NULL ELSE now() END, %(decided_by)s, %(reason)s, %(host)s)
ON CONFLICT (freeze_key) DO NOTHING RETURNING *;

-- name: judged
-- The last actions of a workflow that its policy judged; edits and undone effects were a person's, and are left out.
SELECT id, tool, args, facts, host, verdict, rule, role, status, requested_at, decided_by FROM approval
WHERE tenant = %(tenant)s AND workflow = %(workflow)s AND freeze_key NOT LIKE 'edit:%%' AND freeze_key NOT LIKE 'undo:%%'
ORDER BY created_at DESC LIMIT %(last)s;

-- name: decided_by
-- Who decided a request.
SELECT decided_by FROM approval WHERE id = %(id)s;

-- name: by_freeze_key
-- The action that this execution of a stage froze.
SELECT * FROM approval WHERE freeze_key = %(freeze_key)s;

-- name: by_id
-- One request of a tenant.
SELECT * FROM approval WHERE id = %(id)s AND tenant = %(tenant)s;

-- name: lock
-- One request, held until the transaction ends: exactly one decision wins.
SELECT *, expires_at <= coalesce(%(now)s, now()) AS too_late, coalesce(%(now)s, now()) AS looked_at,
       CASE WHEN claimed_until > coalesce(%(now)s, now()) THEN claimed_by ELSE assigned_to END AS held_by
FROM approval WHERE id = %(id)s FOR UPDATE;

-- name: ask
-- Open a frozen request for review, in the transaction that saves the interrupt.
UPDATE approval SET status = 'pending', interrupt_id = %(interrupt_id)s, stage = %(stage)s, requested_at = asked.at,
                    warn_at = asked.at + %(warn)s, due_at = asked.at + %(due)s, breach_at = asked.at + %(breach)s,
                    expires_at = asked.at + %(within)s, next_timer_at = asked.at + %(first)s, levels = %(levels)s,
                    level_at = ARRAY(SELECT asked.at + after FROM unnest(%(level_after)s::interval[])
                                     WITH ORDINALITY AS step (after, n) ORDER BY n)
FROM (SELECT coalesce(%(now)s, now()) AS at) AS asked
WHERE id = %(id)s AND thread_id = %(thread_id)s AND action_digest = %(action_digest)s AND status = 'frozen'
RETURNING approval.*;

-- name: conclude
-- Store how a pending request ended.
UPDATE approval SET status = %(status)s, decided_at = now(), decided_by = %(by)s, reason = %(reason)s,
                    reason_code = %(reason_code)s, message = %(message)s, replaced_by = %(replaced_by)s
WHERE id = %(id)s AND status = 'pending' RETURNING id;

-- name: votes
-- What people have said about a request, in that order.
SELECT by, type, roles, at FROM approval_vote WHERE request_id = %(request_id)s ORDER BY at, by;

-- name: vote
-- Keep what a person says about a request, once.
INSERT INTO approval_vote (request_id, by, type, roles, action_digest, reason, reason_code, claimed_at)
SELECT %(request_id)s, %(by)s, %(type)s, %(roles)s, %(action_digest)s, %(reason)s, %(reason_code)s,
       CASE WHEN claimed_by = %(by)s THEN claimed_at END
FROM approval WHERE id = %(request_id)s
ON CONFLICT (request_id, by) DO NOTHING RETURNING by;

-- name: release
-- Let anybody who may take the request.
UPDATE approval SET claimed_by = NULL, claimed_at = NULL, claimed_until = NULL, assigned_to = NULL, assigned_by = NULL
WHERE id = %(id)s;

-- name: claim
-- Have one person look at a request, for a while from now; whoever has it already keeps since when.
UPDATE approval SET claimed_at = CASE WHEN claimed_by = %(by)s AND claimed_until > now() THEN claimed_at ELSE now() END,
                    claimed_by = %(by)s, claimed_until = now() + %(time)s
WHERE id = %(id)s;

-- name: next_claimable
-- The most urgent request that nobody has and this person may decide, held; others take the next.
SELECT *, NULL AS held_by FROM approval
WHERE tenant = %(tenant)s AND status = 'pending' AND expires_at > now()
  AND (quorum -> 'roles' ?| %(roles)s OR escalated_to && %(roles)s) AND requester <> %(name)s
  AND (claimed_until IS NULL OR claimed_until <= now())
  AND (assigned_to IS NULL OR assigned_to = %(name)s)
  AND (%(queue)s::text IS NULL OR queue = %(queue)s) AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
  AND NOT EXISTS (SELECT 1 FROM approval_vote WHERE request_id = approval.id AND by = %(name)s)
ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: assign
-- Give a request to one person.
UPDATE approval SET assigned_to = %(to)s, assigned_by = %(by)s, claimed_by = NULL, claimed_at = NULL,
                    claimed_until = NULL
WHERE id = %(id)s;

-- name: supersede
-- An approval that no call has consumed counts no more.
UPDATE approval SET status = 'superseded', reason = %(reason)s
WHERE id = %(id)s AND thread_id = %(thread_id)s AND status = 'approved' RETURNING id;

-- name: search
-- Requests of a tenant, most urgent first; those before the page are passed over without being read.
SELECT approval.* FROM (
    SELECT id FROM approval
    WHERE tenant = %(tenant)s AND requested_at IS NOT NULL
      AND (%(status)s::text IS NULL OR status = %(status)s)
      AND (%(queue)s::text IS NULL OR queue = %(queue)s)
      AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
      AND (%(tool)s::text IS NULL OR tool = %(tool)s)
      AND (%(role)s::text IS NULL OR quorum -> 'roles' ? %(role)s)
      AND (%(held_by)s::text IS NULL
           OR CASE WHEN claimed_until > now() THEN claimed_by ELSE assigned_to END = %(held_by)s)
      AND (NOT %(overdue)s OR due_at < now())
      AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s)
    ORDER BY due_at, id LIMIT %(limit)s OFFSET %(offset)s
) AS page JOIN approval USING (id) ORDER BY due_at, id;

-- name: count
-- How many requests there are of these.
SELECT count(*) AS requests FROM approval
WHERE tenant = %(tenant)s AND requested_at IS NOT NULL
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(queue)s::text IS NULL OR queue = %(queue)s)
  AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
  AND (%(tool)s::text IS NULL OR tool = %(tool)s)
  AND (%(role)s::text IS NULL OR quorum -> 'roles' ? %(role)s)
  AND (%(held_by)s::text IS NULL
       OR CASE WHEN claimed_until > now() THEN claimed_by ELSE assigned_to END = %(held_by)s)
  AND (NOT %(overdue)s OR due_at < now())
  AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s);

-- name: asked_of_thread
-- Every request that a thread has put to people, oldest first.
SELECT * FROM approval WHERE thread_id = %(thread_id)s AND interrupt_id IS NOT NULL ORDER BY requested_at;

-- name: timers
-- Open requests at which somebody has to look because of the time, in parts; those of an earlier release only expire.
SELECT id, thread_id, tenant, coalesce(next_timer_at, expires_at) AS at FROM approval
WHERE status = 'pending' AND coalesce(next_timer_at, expires_at) <= coalesce(%(now)s, now())
  AND (%(after_at)s::timestamptz IS NULL OR (coalesce(next_timer_at, expires_at), id) > (%(after_at)s, %(after_id)s))
ORDER BY coalesce(next_timer_at, expires_at), id LIMIT %(limit)s;

-- name: note_timers
-- Keep what happened to an open request as time passed, and when to look at it again.
UPDATE approval SET warned_at = CASE WHEN %(warned)s THEN %(at)s ELSE warned_at END,
                    breached_at = CASE WHEN %(breached)s THEN %(at)s ELSE breached_at END, next_timer_at = %(next_at)s
WHERE id = %(id)s;

-- name: escalate
-- Let others decide an open request, too; whoever had it has it no more.
UPDATE approval SET level = %(level)s, claimed_by = NULL, claimed_at = NULL, claimed_until = NULL,
                    assigned_to = NULL, assigned_by = NULL,
                    escalated_to = CASE WHEN %(role)s::text = ANY (escalated_to || ''::text) THEN escalated_to
                                        ELSE array_append(escalated_to, %(role)s) END
WHERE id = %(id)s;

-- name: cancel_requests
-- Close what runs of a cancelled case have put to people, or would have.
UPDATE approval SET status = 'cancelled', decided_at = now(), decided_by = %(by)s
WHERE thread_id = %(thread_id)s AND run_id = ANY (%(run_ids)s::uuid[]) AND status IN ('frozen', 'pending') RETURNING *;

-- name: ask_question
-- Register a question, in the transaction that saves the interrupt.
INSERT INTO question (id, tenant, thread_id, run_id, workflow, stage, interrupt_id, question, confirms, action_digest)
VALUES (%(id)s, %(tenant)s, %(thread_id)s, %(run_id)s, %(workflow)s, %(stage)s, %(interrupt_id)s, %(question)s,
        %(confirms)s, %(action_digest)s)
ON CONFLICT (thread_id, interrupt_id) DO NOTHING RETURNING id;

-- name: questions_of_thread
-- Every question that a thread has asked, oldest first.
SELECT * FROM question WHERE thread_id = %(thread_id)s ORDER BY asked_at;

-- name: answers_of_thread
-- What was answered on a thread, in the order of the answers.
SELECT answer FROM question WHERE thread_id = %(thread_id)s AND status = 'answered' ORDER BY answered_at;

-- name: answer_question
-- Keep the answer to an open question.
UPDATE question SET status = 'answered', answer = %(answer)s, answered_by = %(by)s, answered_at = now()
WHERE id = %(id)s AND status = 'open' RETURNING id;

-- name: answers_confirming
-- What the requester has answered when a thread showed them exactly this action.
SELECT answer FROM question
WHERE thread_id = %(thread_id)s AND action_digest = %(action_digest)s AND status = 'answered'
  AND answered_by = %(requester)s;

-- name: cancel_questions
-- Close the questions of a cancelled case.
UPDATE question SET status = 'cancelled'
WHERE thread_id = %(thread_id)s AND run_id = ANY (%(run_ids)s::uuid[]) AND status = 'open';

-- name: to_consume
-- The approval that an effect wants to consume, held until its ledger row stands.
SELECT status, action_digest, thread_id FROM approval WHERE id = %(id)s FOR UPDATE;

-- name: backlog
-- What waits for people, by queue.
SELECT queue, count(*) AS open, count(*) FILTER (WHERE due_at < now()) AS overdue,
       max(extract(epoch FROM now() - requested_at))::float8 AS oldest_s
FROM (
    SELECT queue, requested_at, due_at FROM approval WHERE status = 'pending'
    UNION ALL
    SELECT 'questions', asked_at, NULL FROM question WHERE status = 'open'
) AS waiting GROUP BY queue ORDER BY queue;

-- name: decided_lately
-- How many requests of a tenant's queue ended within the last time.
SELECT count(*) AS decided FROM approval
WHERE tenant = %(tenant)s AND queue = %(queue)s AND requested_at IS NOT NULL
  AND decided_at > now() - make_interval(secs => %(seconds)s);

-- name: live_of_thread
-- Actions of a thread that wait for a decision or were approved.
SELECT * FROM approval WHERE thread_id = %(thread_id)s AND status IN ('frozen', 'pending', 'approved');

-- name: frozen_under
-- The version under which a thread's action was frozen.
SELECT version FROM approval WHERE id = %(id)s AND thread_id = %(thread_id)s;

-- name: waiting_of_thread
-- What a thread waits for, oldest first.
SELECT 'approval' AS kind, id, run_id, interrupt_id, stage, card ->> 'summary' AS asks, role, queue, requested_at AS since,
       due_at, expires_at FROM approval WHERE thread_id = %(thread_id)s AND status = 'pending'
UNION ALL
SELECT 'question', id, run_id, interrupt_id, stage, question, '', '', asked_at, NULL, NULL
FROM question WHERE thread_id = %(thread_id)s AND status = 'open'
ORDER BY since;

-- name: overdue
-- Open requests of a tenant whose target time has passed.
SELECT id, run_id, thread_id, workflow, queue, role, card ->> 'summary' AS summary, expires_at,
       extract(epoch FROM now() - due_at)::float8 AS for_s
FROM approval WHERE tenant = %(tenant)s AND status = 'pending' AND due_at < now() ORDER BY due_at LIMIT 500;

-- name: measure_queues
-- Of each queue: what was asked and how it ended since then, and what waits now.
SELECT queue,
       count(*) FILTER (WHERE requested_at >= %(since)s) AS asked,
       count(*) FILTER (WHERE decided_at >= %(since)s AND status = 'approved') AS approve,
       count(*) FILTER (WHERE decided_at >= %(since)s AND status = 'edited') AS edit,
       count(*) FILTER (WHERE decided_at >= %(since)s AND status = 'rejected') AS reject,
       count(*) FILTER (WHERE decided_at >= %(since)s AND status = 'responded') AS respond,
       count(*) FILTER (WHERE decided_at >= %(since)s AND status = 'expired') AS expired,
       count(*) FILTER (WHERE decided_at >= %(since)s AND status = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE decided_at >= %(since)s AND status = 'superseded') AS superseded,
       count(*) FILTER (WHERE decided_at >= %(since)s AND (status = 'expired' OR decided_at > coalesce(breach_at, due_at)
                        AND status IN ('approved', 'edited', 'rejected', 'responded'))) AS breached,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM decided_at - requested_at)::float8)
           FILTER (WHERE decided_at >= %(since)s AND status IN ('approved', 'edited', 'rejected', 'responded')) AS took_s,
       count(*) FILTER (WHERE status = 'pending') AS depth,
       count(*) FILTER (WHERE status = 'pending' AND due_at < now()) AS overdue,
       max(extract(epoch FROM now() - requested_at)::float8) FILTER (WHERE status = 'pending') AS oldest_s
FROM approval
WHERE tenant = %(tenant)s AND requested_at IS NOT NULL
  AND (requested_at >= %(since)s OR decided_at >= %(since)s OR status = 'pending')
  AND (%(queue)s::text IS NULL OR queue = %(queue)s)
  AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
GROUP BY queue ORDER BY queue;

-- name: decision_times
-- From when to when people took to decide, in one queue.
SELECT requested_at, decided_at FROM approval
WHERE tenant = %(tenant)s AND requested_at IS NOT NULL AND queue = %(queue)s AND decided_at >= %(since)s
  AND status IN ('approved', 'edited', 'rejected', 'responded')
  AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s);

-- name: measure_agreement
-- Requests about which several people have spoken, and those about which all of them said the same.
SELECT queue, count(*) AS requests, count(*) FILTER (WHERE kinds = 1) AS agreed FROM (
    SELECT a.queue, count(*) AS votes, count(DISTINCT v.type) AS kinds
    FROM approval_vote v JOIN approval a ON a.id = v.request_id
    WHERE a.tenant = %(tenant)s AND a.decided_at >= %(since)s
      AND (%(queue)s::text IS NULL OR a.queue = %(queue)s)
      AND (%(workflow)s::text IS NULL OR a.workflow = %(workflow)s)
    GROUP BY v.request_id, a.queue
) AS spoken WHERE votes > 1 GROUP BY queue;

-- name: measure_reasons
-- How often each reason code was given, by queue.
SELECT queue, reason_code, count(*) AS times FROM approval
WHERE tenant = %(tenant)s AND requested_at IS NOT NULL AND decided_at >= %(since)s AND reason_code <> ''
  AND (%(queue)s::text IS NULL OR queue = %(queue)s)
  AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
GROUP BY queue, reason_code ORDER BY times DESC, reason_code;

-- name: measure_edits
-- How often people changed each argument, by queue and tool.
SELECT a.queue, a.tool, field.name, count(*) AS times
FROM approval a JOIN approval edited ON edited.id = a.replaced_by,
     LATERAL (SELECT jsonb_object_keys(a.args || edited.args) AS name) AS field
WHERE a.tenant = %(tenant)s AND a.requested_at IS NOT NULL AND a.decided_at >= %(since)s AND a.status = 'edited'
  AND a.args -> field.name IS DISTINCT FROM edited.args -> field.name
  AND (%(queue)s::text IS NULL OR a.queue = %(queue)s)
  AND (%(workflow)s::text IS NULL OR a.workflow = %(workflow)s)
GROUP BY a.queue, a.tool, field.name ORDER BY times DESC, a.tool, field.name;

-- name: measure_reviewers
-- What each person said since then, and how long they looked where they had claimed it.
SELECT v.by, count(*) FILTER (WHERE v.type = 'approve') AS approve, count(*) FILTER (WHERE v.type = 'edit') AS edit,
       count(*) FILTER (WHERE v.type = 'reject') AS reject, count(*) FILTER (WHERE v.type = 'respond') AS respond,
       count(v.claimed_at) AS timed,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM v.at - v.claimed_at)::float8)
           FILTER (WHERE v.claimed_at IS NOT NULL) AS looked_s
FROM approval_vote v JOIN approval a ON a.id = v.request_id
WHERE a.tenant = %(tenant)s AND v.at >= %(since)s
  AND (%(queue)s::text IS NULL OR a.queue = %(queue)s)
  AND (%(workflow)s::text IS NULL OR a.workflow = %(workflow)s)
  AND (%(by)s::text IS NULL OR v.by = %(by)s)
GROUP BY v.by ORDER BY count(*) DESC, v.by;

-- name: history
-- The last decisions by people, for each tool and rule that asked.
SELECT * FROM (
    SELECT a.id, a.thread_id, a.tool, a.rule, a.quorum, a.args, a.facts, a.host, a.status, a.reason_code, a.reason,
           a.message, a.decided_by, a.decided_at, edited.args AS edited, extract(epoch FROM v.at - v.claimed_at)::float8 AS looked_s,
           row_number() OVER (PARTITION BY a.tool, a.rule ORDER BY a.decided_at DESC, a.id) AS nth
    FROM approval a LEFT JOIN approval_vote v ON v.request_id = a.id AND v.by = a.decided_by
    LEFT JOIN approval edited ON edited.id = a.replaced_by AND a.status = 'edited'
    WHERE a.tenant = %(tenant)s AND a.workflow = %(workflow)s AND a.requested_at IS NOT NULL
      AND a.status IN ('approved', 'edited', 'rejected', 'responded')
) AS decided WHERE nth <= %(last)s ORDER BY tool, rule, decided_at;

-- name: cases_since
-- How many cases have proposed anything since the oldest of some requests.
SELECT count(DISTINCT thread_id) AS cases FROM approval
WHERE tenant = %(tenant)s AND workflow = %(workflow)s
  AND created_at >= (SELECT min(created_at) FROM approval WHERE id = ANY (%(ids)s::uuid[]));

-- name: keep_canary
-- Put a wrong copy of a decided request to reviewers.
INSERT INTO canary (id, tenant, queue, workflow, copied_from, changes, wrong, due_at, expires_at)
VALUES (%(id)s, %(tenant)s, %(queue)s, %(workflow)s, %(copied_from)s, %(changes)s, %(wrong)s, now() + %(due)s,
        now() + %(within)s);

-- name: canary_sources
-- Some requests of a queue that one person approved lately, of tenants that were put fewer canaries than that a day.
SELECT * FROM approval a
WHERE queue = %(queue)s AND status = 'approved' AND requested_at IS NOT NULL AND decided_at > now() - interval '7 days'
  AND (quorum ->> 'needed')::int = 1 AND NOT EXISTS (SELECT 1 FROM canary WHERE copied_from = a.id)
  AND (SELECT count(*) FROM canary c WHERE c.tenant = a.tenant AND c.queue = a.queue
                                       AND c.asked_at > now() - interval '1 day') < %(a_day)s
ORDER BY random() LIMIT 10;

-- name: one_at_a_time
-- Let nobody else put canaries until this transaction ends.
SELECT pg_advisory_xact_lock(hashtext('gatehouse canaries'));

-- name: canary
-- One canary in the shape of a request, held until the transaction ends.
SELECT shown.*, c.wrong, c.decision, c.decided_by AS canary_decided_by,
       CASE WHEN c.claimed_until > now() THEN c.claimed_by END AS held_by, c.expires_at <= now() AS too_late
FROM canary c JOIN approval a ON a.id = c.copied_from,
     LATERAL jsonb_populate_record(a, c.changes || jsonb_build_object(
         'id', c.id, 'requested_at', c.asked_at, 'due_at', c.due_at, 'breach_at', c.due_at, 'expires_at', c.expires_at,
         'claimed_by', c.claimed_by, 'claimed_at', c.claimed_at, 'claimed_until', c.claimed_until,
         'decided_by', c.decided_by, 'decided_at', c.decided_at, 'status', CASE c.decision WHEN 'approve' THEN 'approved'
             WHEN 'edit' THEN 'edited' WHEN 'reject' THEN 'rejected' WHEN 'respond' THEN 'responded' ELSE 'pending' END
         )) AS shown
WHERE c.id = %(id)s AND c.tenant = %(tenant)s FOR UPDATE OF c;

-- name: open_canaries
-- Canaries that wait, in the shape of requests, most urgent first.
SELECT shown.*
FROM canary c JOIN approval a ON a.id = c.copied_from,
     LATERAL jsonb_populate_record(a, c.changes || jsonb_build_object(
         'id', c.id, 'requested_at', c.asked_at, 'due_at', c.due_at, 'breach_at', c.due_at, 'expires_at', c.expires_at,
         'claimed_by', c.claimed_by, 'claimed_at', c.claimed_at, 'claimed_until', c.claimed_until)) AS shown
WHERE c.tenant = %(tenant)s AND c.decision IS NULL AND c.expires_at > now()
  AND (%(queue)s::text IS NULL OR c.queue = %(queue)s)
  AND (%(workflow)s::text IS NULL OR c.workflow = %(workflow)s)
  AND (%(tool)s::text IS NULL OR a.tool = %(tool)s)
  AND (%(role)s::text IS NULL OR a.quorum -> 'roles' ? %(role)s)
  AND (%(held_by)s::text IS NULL OR CASE WHEN c.claimed_until > now() THEN c.claimed_by END = %(held_by)s)
  AND (NOT %(overdue)s OR c.due_at < now())
ORDER BY c.due_at, c.id;

-- name: claim_canary
-- Have one person look at a canary, for a while from now.
UPDATE canary SET claimed_at = CASE WHEN claimed_by = %(by)s AND claimed_until > now() THEN claimed_at ELSE now() END,
                  claimed_by = %(by)s, claimed_until = now() + %(time)s
WHERE id = %(id)s;

-- name: release_canary
-- Let anybody who may take the canary.
UPDATE canary SET claimed_by = NULL, claimed_at = NULL, claimed_until = NULL WHERE id = %(id)s;

-- name: decide_canary
-- Keep what somebody said of a canary.
UPDATE canary SET decision = %(decision)s, decided_by = %(by)s, decided_at = now() WHERE id = %(id)s;

-- name: canaries_asked
-- How many canaries each queue of a tenant was put since then.
SELECT queue, count(*) AS asked FROM canary WHERE tenant = %(tenant)s AND asked_at >= %(since)s GROUP BY queue;

-- name: measure_canaries
-- How many canaries each person was taken in by, and how many they caught, by queue.
SELECT queue, decided_by, count(*) AS decided, count(*) FILTER (WHERE decision <> 'approve') AS caught FROM canary
WHERE tenant = %(tenant)s AND decided_at >= %(since)s
  AND (%(queue)s::text IS NULL OR queue = %(queue)s)
  AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
GROUP BY queue, decided_by;
