-- Effects that take others back.

ALTER TABLE effect ADD COLUMN compensates text REFERENCES effect;
COMMENT ON COLUMN effect.compensates IS 'the call that this one takes back';
CREATE UNIQUE INDEX effect_compensates ON effect (compensates) WHERE compensates IS NOT NULL;

DROP VIEW effect_shown;
CREATE VIEW effect_shown AS
SELECT effect.*, leg.id AS leg_id,
       coalesce(effect.interrupt_id IS NOT NULL AND leg.outcome IS NULL
                AND leg.status IN ('pending', 'running', 'interrupted'), false) AS parked
FROM effect LEFT JOIN LATERAL (
    SELECT id, status, outcome FROM run
    WHERE run.case_id = effect.case_id AND run.deleted_at IS NULL ORDER BY seq DESC LIMIT 1
) AS leg ON true
WHERE effect.effect_class <> 'read';
COMMENT ON VIEW effect_shown IS 'effects with the last leg of their case, and whether that parked at one of them';
