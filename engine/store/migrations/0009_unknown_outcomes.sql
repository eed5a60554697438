-- Cases that wait for a person to find out what became of an effect.

CREATE VIEW effect_shown AS
SELECT effect.*, leg.id AS leg_id,
       coalesce(effect.interrupt_id IS NOT NULL AND leg.case_id = effect.case_id AND leg.outcome IS NULL
                AND leg.status IN ('pending', 'running', 'interrupted'), false) AS parked
FROM effect LEFT JOIN LATERAL (
    SELECT id, case_id, status, outcome FROM run
    WHERE run.thread_id = effect.thread_id AND run.deleted_at IS NULL ORDER BY seq DESC LIMIT 1
) AS leg ON true
WHERE effect.effect_class <> 'read';
COMMENT ON VIEW effect_shown IS 'effects with the last leg of their thread, and whether that parked at one of them';
