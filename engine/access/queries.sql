-- name: insert_key
-- Keep a new key's hash, never the key.
INSERT INTO api_key (id, name, secret_sha256, roles, approver_roles, expires_at, tenant)
VALUES (%(id)s, %(name)s, %(sha)s, %(roles)s, %(approver_roles)s, %(expires_at)s, %(tenant)s);

-- name: key_by_id
-- A key that still counts.
SELECT id, name, secret_sha256, roles, approver_roles, tenant FROM api_key
WHERE id = %(id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- name: key_by_name
-- A key that still counts, by the name that stands in records.
SELECT roles, approver_roles FROM api_key
WHERE name = %(name)s AND tenant = %(tenant)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- name: list_keys
-- Every key, without its secret.
SELECT id, name, tenant, roles, approver_roles, created_at, expires_at, revoked_at FROM api_key ORDER BY created_at;

-- name: revoke_key
-- End a key by id or name.
UPDATE api_key SET revoked_at = now() WHERE (id = %(key)s OR name = %(key)s) AND revoked_at IS NULL RETURNING id, name;

-- name: count_keys
-- Are there any keys at all?
SELECT count(*) AS keys FROM api_key WHERE revoked_at IS NULL;
