-- name: note_spent
-- Add an attempt at a live model to what its case has taken.
INSERT INTO model_use (tenant, case_id, stage, route, currency, calls, failed, tokens_read, tokens_written, ms, cost)
VALUES (%(tenant)s, %(case_id)s, %(stage)s, %(route)s, %(currency)s, 1, %(failed)s, %(tokens_read)s, %(tokens_written)s,
        %(ms)s, %(cost)s)
ON CONFLICT (case_id, stage, route, currency) DO UPDATE
SET calls = model_use.calls + 1, failed = model_use.failed + excluded.failed,
    tokens_read = model_use.tokens_read + excluded.tokens_read,
    tokens_written = model_use.tokens_written + excluded.tokens_written,
    ms = model_use.ms + excluded.ms, cost = model_use.cost + excluded.cost, last_at = now();

-- name: outcomes
-- Of each version: how its cases have ended, what people did in them, and what was done outside.
WITH ended AS (
    SELECT * FROM ended_case
    WHERE tenant = %(tenant)s AND ended_at >= %(since)s AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
), reviewed AS (
    SELECT r.case_id, bool_or(a.level > 0) AS escalated, count(*) FILTER (WHERE a.status = 'edited') AS edited,
           count(*) FILTER (WHERE a.status = 'rejected') AS rejected,
           count(*) FILTER (WHERE a.status IN ('approved', 'edited', 'rejected', 'responded')) AS decided
    FROM ended e JOIN run r ON r.case_id = e.case_id JOIN approval a ON a.run_id = r.id
    WHERE a.requested_at IS NOT NULL GROUP BY r.case_id
), looked AS (
    SELECT r.case_id, count(*) - count(v.claimed_at) AS untimed, sum(extract(epoch FROM v.at - v.claimed_at)) AS looked_s
    FROM ended e JOIN run r ON r.case_id = e.case_id JOIN approval a ON a.run_id = r.id
    JOIN approval_vote v ON v.request_id = a.id GROUP BY r.case_id
), acted AS (
    SELECT f.case_id, count(*) - count(f.compensates) AS executed, count(f.compensates) AS compensated
    FROM ended e JOIN effect f ON f.case_id = e.case_id
    WHERE f.effect_class <> 'read' AND f.state IN ('done', 'resolved_done') GROUP BY f.case_id
)
SELECT e.workflow, e.version, count(*) AS ended, min(e.ended_at) AS first_at, max(e.ended_at) AS last_at,
       count(*) FILTER (WHERE e.outcome = 'completed') AS completed,
       count(*) FILTER (WHERE e.outcome = 'rejected') AS rejected_cases,
       count(*) FILTER (WHERE e.outcome = 'handed_off') AS handed_off,
       count(*) FILTER (WHERE e.outcome = 'failed_safe') AS failed_safe,
       count(*) FILTER (WHERE e.outcome = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE e.outcome = 'expired') AS expired,
       count(*) FILTER (WHERE e.outcome = 'handed_off' OR reviewed.escalated) AS escalated,
       coalesce(sum(reviewed.decided), 0)::bigint AS decided, coalesce(sum(reviewed.edited), 0)::bigint AS edited,
       coalesce(sum(reviewed.rejected), 0)::bigint AS rejected,
       coalesce(sum(acted.executed), 0)::bigint AS executed,
       coalesce(sum(acted.compensated), 0)::bigint AS compensated,
       coalesce(sum(looked.looked_s), 0)::float8 AS looked_s, coalesce(sum(looked.untimed), 0)::bigint AS untimed,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM e.ended_at - e.opened_at)::float8)
           AS wall_s
FROM ended e LEFT JOIN reviewed USING (case_id) LEFT JOIN looked USING (case_id) LEFT JOIN acted USING (case_id)
GROUP BY e.workflow, e.version ORDER BY e.workflow, max(e.ended_at) DESC, e.version;

-- name: cost_by_outcome
-- What cases took of models and of time, by version and by how they ended: how long they were open, and at work.
WITH ended AS (
    SELECT * FROM ended_case
    WHERE tenant = %(tenant)s AND ended_at >= %(since)s AND (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
), spent AS (
    SELECT m.case_id, sum(m.calls) AS calls, sum(m.tokens_read) AS read, sum(m.tokens_written) AS written
    FROM ended e JOIN model_use m ON m.case_id = e.case_id GROUP BY m.case_id
), worked AS (
    SELECT s.case_id, sum(s.us) AS us FROM ended e JOIN stage_use s ON s.case_id = e.case_id GROUP BY s.case_id
)
SELECT e.workflow, e.version, e.outcome, count(*) AS cases, coalesce(sum(spent.calls), 0)::bigint AS model_calls,
       coalesce(sum(spent.read), 0)::bigint AS tokens_read, coalesce(sum(spent.written), 0)::bigint AS tokens_written,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM e.ended_at - e.opened_at)::float8)
           AS wall_s,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY worked.us / 1e6::float8) AS work_s
FROM ended e LEFT JOIN spent USING (case_id) LEFT JOIN worked USING (case_id)
GROUP BY e.workflow, e.version, e.outcome ORDER BY e.workflow, e.version, count(*) DESC, e.outcome;

-- name: costs
-- What live models cost the cases of each version, by how these ended and by currency.
SELECT e.workflow, e.version, e.outcome, m.currency, sum(m.cost)::bigint AS cost
FROM ended_case e JOIN model_use m ON m.case_id = e.case_id
WHERE e.tenant = %(tenant)s AND e.ended_at >= %(since)s AND (%(workflow)s::text IS NULL OR e.workflow = %(workflow)s)
  AND m.currency <> ''
GROUP BY 1, 2, 3, 4;

-- name: dearest
-- The ended cases whose models cost most, in whichever currency, each with how it ended and how long it was open.
SELECT e.case_id AS run_id, e.workflow, e.version, e.outcome, m.currency, sum(m.cost)::bigint AS cost,
       sum(m.calls)::bigint AS model_calls, extract(epoch FROM e.ended_at - e.opened_at)::float8 AS wall_s
FROM ended_case e JOIN model_use m ON m.case_id = e.case_id
WHERE e.tenant = %(tenant)s AND e.ended_at >= %(since)s AND (%(workflow)s::text IS NULL OR e.workflow = %(workflow)s)
GROUP BY e.case_id, e.workflow, e.version, e.outcome, m.currency, e.opened_at, e.ended_at
ORDER BY cost DESC, wall_s DESC LIMIT %(limit)s;

-- name: stages
-- What each stage took of the ended cases of each version.
SELECT e.workflow, e.version, s.stage, count(*) AS cases, sum(s.visits)::bigint AS visits, sum(s.failed)::bigint AS failed,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY s.us / 1e3::float8) AS took_ms
FROM ended_case e JOIN stage_use s ON s.case_id = e.case_id
WHERE e.tenant = %(tenant)s AND e.ended_at >= %(since)s AND (%(workflow)s::text IS NULL OR e.workflow = %(workflow)s)
GROUP BY e.workflow, e.version, s.stage ORDER BY e.workflow, e.version, s.stage;

-- name: stage_costs
-- What models cost at each stage, by currency.
SELECT e.workflow, e.version, m.stage, m.currency, sum(m.calls)::bigint AS calls, sum(m.failed)::bigint AS failed,
       sum(m.tokens_read + m.tokens_written)::bigint AS tokens, sum(m.ms)::bigint AS ms, sum(m.cost)::bigint AS cost
FROM ended_case e JOIN model_use m ON m.case_id = e.case_id
WHERE e.tenant = %(tenant)s AND e.ended_at >= %(since)s AND (%(workflow)s::text IS NULL OR e.workflow = %(workflow)s)
GROUP BY e.workflow, e.version, m.stage, m.currency;

-- name: ways
-- Which way each case left each stage for the last time, and how cases that did ended.
SELECT e.workflow, e.version, s.stage, s.led[cardinality(s.led)] AS way, e.outcome, count(*) AS cases
FROM ended_case e JOIN stage_use s ON s.case_id = e.case_id
WHERE e.tenant = %(tenant)s AND e.ended_at >= %(since)s AND (%(workflow)s::text IS NULL OR e.workflow = %(workflow)s)
  AND cardinality(s.led) > 0
GROUP BY 1, 2, 3, 4, 5;

-- name: overruled
-- At each gate: requests that people decided, and those about which they said anything but a plain yes.
SELECT e.workflow, e.version, a.stage, count(*) AS decided, count(*) FILTER (WHERE a.status <> 'approved') AS changed
FROM ended_case e JOIN run r ON r.case_id = e.case_id JOIN approval a ON a.run_id = r.id
WHERE e.tenant = %(tenant)s AND e.ended_at >= %(since)s AND (%(workflow)s::text IS NULL OR e.workflow = %(workflow)s)
  AND a.requested_at IS NOT NULL AND a.status IN ('approved', 'edited', 'rejected', 'responded', 'expired')
  AND a.stage IS NOT NULL
GROUP BY 1, 2, 3;

-- name: failing
-- Of every tenant's workflows: cases that have ended in the last hour, and those that failed.
SELECT tenant, workflow, count(*) AS ended, count(*) FILTER (WHERE status = 'error' OR outcome = 'failed_safe') AS failed
FROM run WHERE outcome IS NOT NULL AND finished_at > now() - interval '1 hour' AND acts AND deleted_at IS NULL
GROUP BY tenant, workflow;

-- name: dear
-- Of every tenant's workflows: what models cost the cases that asked one in the last day, by currency.
SELECT m.tenant, r.workflow, m.currency, sum(m.cost)::bigint AS cost
FROM model_use m JOIN run r ON r.id = m.case_id
WHERE m.last_at > now() - interval '1 day' AND m.currency <> '' GROUP BY 1, 2, 3;
