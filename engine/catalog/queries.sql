-- name: register
-- Keep a version's manifest.
INSERT INTO workflow_version (digest, workflow, manifest) VALUES (%(digest)s, %(workflow)s, %(manifest)s)
ON CONFLICT DO NOTHING;
