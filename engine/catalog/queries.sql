-- name: register
-- Keep a version's manifest.
INSERT INTO workflow_version (digest, workflow, manifest) VALUES (%(digest)s, %(workflow)s, %(manifest)s)
ON CONFLICT DO NOTHING;

-- name: parked
-- Stages at which cases wait.
SELECT workflow, stage, count(*) AS waiting FROM (
    SELECT workflow, stage FROM approval WHERE status = 'pending'
    UNION ALL
    SELECT r.workflow, q.stage FROM question q JOIN run r ON r.id = q.run_id WHERE q.status = 'open'
) AS parked GROUP BY workflow, stage ORDER BY workflow, stage;
