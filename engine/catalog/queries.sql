-- name: register
-- Keep a version's manifest.
INSERT INTO workflow_version (digest, workflow, manifest) VALUES (%(digest)s, %(workflow)s, %(manifest)s)
ON CONFLICT DO NOTHING;

-- name: versions
-- Every version seen, and whether a tenant has drained it.
SELECT v.digest, v.workflow, v.first_seen_at, d.drained_by
FROM workflow_version v LEFT JOIN version_drain d ON d.digest = v.digest AND d.tenant = %(tenant)s
ORDER BY v.first_seen_at DESC, v.workflow;

-- name: manifest
-- What a version pins.
SELECT manifest FROM workflow_version WHERE digest = %(digest)s;

-- name: drain
-- Let no new run of a tenant start under a version.
INSERT INTO version_drain (digest, tenant, drained_by, reason) VALUES (%(digest)s, %(tenant)s, %(by)s, %(reason)s)
ON CONFLICT DO NOTHING;

-- name: end_drain
-- Let runs start under a version again.
DELETE FROM version_drain WHERE digest = %(digest)s AND tenant = %(tenant)s;

-- name: stopped
-- Who lets no new run of a tenant start under a version, of a workflow, or for the queue where it is reviewed.
SELECT version, queue, by, reason, scope, name FROM intake_stop
WHERE tenant = %(tenant)s
  AND (version = %(digest)s OR queue = %(queue)s OR scope = 'tenant' OR (scope = 'workflow' AND name = %(workflow)s))
ORDER BY scope, version LIMIT 1;
