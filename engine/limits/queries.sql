-- name: admit
-- Everything that limits one call, in one statement: what is switched off, whether its system fails, how far its rates
-- are behind, and what is used with this call included. Who refuses rolls all of it back.
WITH wanted AS (
    SELECT scope, unit, n,
           CASE period WHEN 'day' THEN to_char(now() AT TIME ZONE %(timezone)s, 'YYYY-MM-DD') ELSE period END AS period
    FROM unnest(%(scopes)s::text[], %(periods)s::text[], %(units)s::text[], %(numbers)s::bigint[])
        AS w(scope, period, unit, n)
    WHERE NOT EXISTS (SELECT 1 FROM held_call WHERE call_key = %(call_key)s)
), taken AS (
    INSERT INTO limit_use AS u (tenant, scope, period, unit, used)
    SELECT %(tenant)s, scope, period, unit, n FROM wanted ORDER BY scope, period, unit
    ON CONFLICT (tenant, scope, period, unit) DO UPDATE SET used = u.used + excluded.used, updated_at = now()
    RETURNING scope, period, unit, used
), kept AS (
    INSERT INTO held_call (call_key, tenant, run_id, kind, stage, step, items)
    SELECT %(call_key)s, %(tenant)s, %(run_id)s, %(kind)s, %(stage)s, %(step)s,
           (SELECT coalesce(jsonb_agg(to_jsonb(wanted)), '[]') FROM wanted)
    WHERE %(kind)s = 'model' OR EXISTS (SELECT 1 FROM wanted)
), paced AS (
    INSERT INTO rate_limit AS r (tenant, name, every_s, free_at)
    SELECT p.tenant, p.name, p.every_s, clock_timestamp() + make_interval(secs => p.every_s)
    FROM unnest(%(rate_tenants)s::text[], %(rates)s::text[], %(every_s)s::float8[]) AS p(tenant, name, every_s)
    ORDER BY p.tenant, p.name
    ON CONFLICT (tenant, name) DO UPDATE SET
        every_s = excluded.every_s,
        free_at = greatest(r.free_at, clock_timestamp()) + make_interval(secs => excluded.every_s)
    RETURNING name, extract(epoch FROM free_at - clock_timestamp())::float8 AS ahead_s
)
SELECT (SELECT to_jsonb(k) FROM kill_switch k
        JOIN unnest(%(switch_scopes)s::text[], %(switch_names)s::text[]) AS s(scope, name) USING (scope, name)
        WHERE k.tenant = %(tenant)s AND k.on_at IS NULL LIMIT 1) AS off,
       (SELECT jsonb_build_object('state', state, 'for_s', extract(epoch FROM open_until - clock_timestamp()))
        FROM breaker WHERE tenant = %(tenant)s AND name = %(breaker)s) AS broken,
       (SELECT jsonb_object_agg(name, ahead_s) FROM paced) AS paced,
       %(kind)s = 'tool' AND NOT EXISTS (
           SELECT 1 FROM known_use WHERE tenant = %(tenant)s AND workflow = %(workflow)s AND stage = %(stage)s
                                     AND tool = %(name)s) AS unknown,
       (SELECT jsonb_agg(to_jsonb(taken)) FROM taken) AS used,
       (SELECT count(DISTINCT step) FROM held_call
        WHERE %(kind)s = 'model' AND run_id = %(run_id)s AND kind = 'model' AND stage = %(stage)s
          AND step <> %(step)s) AS iterations;

-- name: look
-- The same for a call of a tool that takes nothing of any cap or rate.
SELECT (SELECT to_jsonb(k) FROM kill_switch k
        JOIN unnest(%(switch_scopes)s::text[], %(switch_names)s::text[]) AS s(scope, name) USING (scope, name)
        WHERE k.tenant = %(tenant)s AND k.on_at IS NULL LIMIT 1) AS off,
       (SELECT jsonb_build_object('state', state, 'for_s', extract(epoch FROM open_until - clock_timestamp()))
        FROM breaker WHERE tenant = %(tenant)s AND name = %(breaker)s) AS broken,
       NOT EXISTS (
           SELECT 1 FROM known_use WHERE tenant = %(tenant)s AND workflow = %(workflow)s AND stage = %(stage)s
                                     AND tool = %(name)s) AS unknown,
       NULL AS paced, NULL AS used, 0 AS iterations;

-- name: learn
-- Remember that a stage calls a tool, and say whether that is news of a workflow that has worked for a day.
INSERT INTO known_use (tenant, workflow, stage, tool) VALUES (%(tenant)s, %(workflow)s, %(stage)s, %(name)s)
ON CONFLICT DO NOTHING
RETURNING EXISTS (SELECT 1 FROM known_use WHERE tenant = %(tenant)s AND workflow = %(workflow)s
                                            AND first_at < now() - interval '1 day') AS novel;

-- name: settle
-- Replace what a model call held by what it came to.
SELECT settle_call(%(call_key)s, %(state)s, %(actual)s);

-- name: take
-- Take a place of a rate if there is one now.
INSERT INTO rate_limit AS r (tenant, name, every_s, free_at)
VALUES (%(tenant)s, %(name)s, %(every_s)s, clock_timestamp() + make_interval(secs => %(every_s)s))
ON CONFLICT (tenant, name) DO UPDATE SET
    every_s = excluded.every_s,
    free_at = greatest(r.free_at, clock_timestamp()) + make_interval(secs => excluded.every_s)
WHERE greatest(r.free_at, clock_timestamp()) + make_interval(secs => excluded.every_s)
      <= clock_timestamp() + make_interval(secs => %(burst)s)
RETURNING name;

-- name: ahead
-- How many seconds of a rate are taken.
SELECT extract(epoch FROM free_at - clock_timestamp())::float8 AS ahead_s FROM rate_limit
WHERE tenant = %(tenant)s AND name = %(name)s;

-- name: probe
-- Be the one call that tries whether a system is back; whoever comes later waits for what it finds.
UPDATE breaker SET state = 'half_open', open_until = clock_timestamp() + make_interval(secs => %(probe_s)s)
WHERE tenant = %(tenant)s AND name = %(name)s AND state <> 'closed' AND open_until <= clock_timestamp() RETURNING name;

-- name: failed
-- Count a failure, and open the breaker with the last that it bears, or with a probe that failed.
INSERT INTO breaker AS b (tenant, name, state, opened_at, open_until)
SELECT %(tenant)s, %(name)s, s.state, CASE WHEN s.state = 'open' THEN now() END,
       CASE WHEN s.state = 'open' THEN clock_timestamp() + make_interval(secs => %(open_s)s) END
FROM (SELECT CASE WHEN %(failures)s <= 1 THEN 'open' ELSE 'closed' END AS state) AS s
ON CONFLICT (tenant, name) DO UPDATE SET
    failures = CASE WHEN b.failing_since < now() - make_interval(secs => %(window_s)s) THEN 1 ELSE b.failures + 1 END,
    failing_since = CASE WHEN b.failing_since < now() - make_interval(secs => %(window_s)s) THEN now()
                         ELSE b.failing_since END,
    state = CASE WHEN b.state <> 'closed' THEN 'open'
                 WHEN b.failing_since >= now() - make_interval(secs => %(window_s)s)
                      AND b.failures + 1 >= %(failures)s THEN 'open' ELSE 'closed' END,
    opened_at = CASE WHEN b.state <> 'closed' THEN b.opened_at ELSE now() END,
    open_until = CASE
        WHEN b.state = 'open' THEN b.open_until
        WHEN b.state = 'half_open' OR (b.failing_since >= now() - make_interval(secs => %(window_s)s)
             AND b.failures + 1 >= %(failures)s) THEN clock_timestamp() + make_interval(secs => %(open_s)s) END
RETURNING state, failures, opened_at = now() AND state = 'open' AS opened_now;

-- name: well
-- Forget what failed: a call came through.
DELETE FROM breaker WHERE tenant = %(tenant)s AND name = %(name)s RETURNING state;

-- name: breakers
-- What has failed lately, of a tenant.
SELECT name, state, failures, failing_since, opened_at, open_until FROM breaker WHERE tenant = %(tenant)s ORDER BY name;

-- name: switch_off
-- Stop something, or hear that it is stopped: a wish to have it on again ends.
INSERT INTO kill_switch (tenant, scope, name, reason, off_by)
VALUES (%(tenant)s, %(scope)s, %(name)s, %(reason)s, %(by)s)
ON CONFLICT (tenant, scope, name) WHERE on_at IS NULL DO UPDATE SET on_asked_by = NULL, on_asked_at = NULL
RETURNING *;

-- name: held_switch
-- A switch that is off, held until the transaction ends.
SELECT id, on_asked_by FROM kill_switch WHERE id = %(id)s AND tenant = %(tenant)s AND on_at IS NULL FOR UPDATE;

-- name: ask_for_on
-- The first of two wants it on again.
UPDATE kill_switch SET on_asked_by = %(by)s, on_asked_at = now() WHERE id = %(id)s AND tenant = %(tenant)s RETURNING *;

-- name: switch_on
-- The second of two wants it on again.
UPDATE kill_switch SET on_by = %(by)s, on_at = now() WHERE id = %(id)s AND tenant = %(tenant)s RETURNING *;

-- name: switches
-- What a tenant has switched off, newest first.
SELECT * FROM kill_switch WHERE tenant = %(tenant)s AND (%(all)s OR on_at IS NULL) ORDER BY id DESC LIMIT 500;

-- name: which_is_off
-- One of these switches that is off.
SELECT k.* FROM kill_switch k JOIN unnest(%(scopes)s::text[], %(names)s::text[]) AS s(scope, name) USING (scope, name)
WHERE k.tenant = %(tenant)s AND k.on_at IS NULL LIMIT 1;

-- name: used
-- What a workflow has used in a day or a case, and what of it is held by calls under way; one row at least.
SELECT asked.period, u.scope, u.unit, u.used, coalesce(h.n, 0)::bigint AS held
FROM (SELECT CASE WHEN %(case_id)s = '' THEN to_char(now() AT TIME ZONE %(timezone)s, 'YYYY-MM-DD')
                  ELSE 'case:' || %(case_id)s END AS period) AS asked
LEFT JOIN limit_use u ON u.tenant = %(tenant)s AND u.period = asked.period
                      AND (u.scope = %(scope)s OR starts_with(u.scope, %(scope)s || '/'))
LEFT JOIN held_now h ON h.tenant = u.tenant AND h.scope = u.scope AND h.period = u.period AND h.unit = u.unit;

-- name: refused
-- Count a refused call, and say how many there usually are in ten minutes.
INSERT INTO refusal_count AS c (tenant, workflow, since)
VALUES (%(tenant)s, %(workflow)s, date_bin('10 minutes', now(), 'epoch'))
ON CONFLICT (tenant, workflow, since) DO UPDATE SET refused = c.refused + 1
RETURNING refused, (
    SELECT coalesce(sum(b.refused), 0) / 144.0 FROM refusal_count b
    WHERE b.tenant = c.tenant AND b.workflow = c.workflow AND b.since < c.since
      AND b.since > now() - interval '1 day')::float8 AS usual;

-- name: forget_refusals
-- Forget how often calls were refused longer ago than anybody compares with.
DELETE FROM refusal_count WHERE tenant = %(tenant)s AND since < now() - interval '2 days';

-- name: spent
-- What a workflow has used today and in a case, in the scopes named.
SELECT scope, period LIKE 'case:%%' AS of_case, unit, used FROM limit_use
WHERE tenant = %(tenant)s AND scope = ANY (%(scopes)s)
  AND period IN (to_char(now() AT TIME ZONE %(timezone)s, 'YYYY-MM-DD'), 'case:' || %(case_id)s);

-- name: tried
-- What a case has called that has ended, and how.
SELECT tool, state, calls, said FROM tried_call WHERE case_id = %(case_id)s AND state <> 'started' ORDER BY tool, state LIMIT 20;

-- name: forget_uses
-- Forget what was used on a day before the last month, and in a case that has not moved for a year.
DELETE FROM limit_use WHERE (tenant, scope, period, unit) IN (
    SELECT tenant, scope, period, unit FROM limit_use
    WHERE period <> 'now' AND updated_at < now() - CASE WHEN starts_with(period, 'case:') THEN interval '400 days'
                                                        ELSE interval '32 days' END
    LIMIT %(limit)s);

-- name: forget_held
-- Forget calls that have held nothing for a month, of runs that are over.
DELETE FROM held_call WHERE call_key IN (
    SELECT h.call_key FROM held_call h JOIN run r ON r.id = h.run_id
    WHERE h.state <> 'held' AND h.settled_at < now() - interval '32 days' AND r.status NOT IN ('pending', 'running')
    LIMIT %(limit)s);

-- name: release_reads
-- Settle reads of runs that are over: they have changed nothing, and nobody waits for them.
SELECT settle_call(h.call_key, 'released', '{"under_way": 0}')
FROM held_call h JOIN run r ON r.id = h.run_id JOIN effect e ON e.call_key = h.call_key
WHERE h.state = 'held' AND h.kind = 'tool' AND r.status NOT IN ('pending', 'running')
  AND e.state = 'started' AND e.effect_class = 'read';

-- name: sound
-- Note that an alarm is raised, unless it was within the last hour.
INSERT INTO alarm AS a (tenant, kind, name) VALUES (%(tenant)s, %(kind)s, %(name)s)
ON CONFLICT (tenant, kind, name) DO UPDATE SET raised_at = now() WHERE a.raised_at < now() - interval '1 hour'
RETURNING raised_at;
