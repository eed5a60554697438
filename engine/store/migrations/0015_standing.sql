-- Where a thread stands. Runs that wait behind a case, or were turned away at its gate, have not moved its thread.

CREATE FUNCTION moved(r run) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN (r.epoch > 0 OR r.kind = 'resume') AND r.error ->> 'error' IS DISTINCT FROM 'gate_open';
COMMENT ON FUNCTION moved IS 'whether a run has gone on from where its thread stood, or carries an answer to it';

CREATE OR REPLACE VIEW standing_run AS
SELECT id, seq, thread_id, tenant, workflow, version, stands_at, refused_by, false AS parked
FROM run WHERE status IN ('pending', 'running')
UNION ALL
SELECT leg.id, leg.seq, leg.thread_id, leg.tenant, leg.workflow, leg.version, leg.stands_at, leg.refused_by, true
FROM thread CROSS JOIN LATERAL (
    SELECT * FROM run WHERE thread_id = thread.id AND moved(run) ORDER BY seq DESC LIMIT 1) AS leg
WHERE thread.status = 'interrupted' AND thread.deleted_at IS NULL AND leg.status = 'interrupted' AND leg.outcome IS NULL;

CREATE OR REPLACE VIEW effect_shown AS
SELECT effect.*, leg.id AS leg_id,
       coalesce(effect.interrupt_id IS NOT NULL AND leg.outcome IS NULL
                AND leg.status IN ('pending', 'running', 'interrupted'), false) AS parked
FROM effect LEFT JOIN LATERAL (
    SELECT id, status, outcome FROM run
    WHERE run.case_id = effect.case_id AND run.deleted_at IS NULL ORDER BY seq DESC LIMIT 1
) AS leg ON true
WHERE effect.effect_class <> 'read';
COMMENT ON VIEW effect_shown IS 'effects with the last leg of their case, and whether that parked at one of them';
