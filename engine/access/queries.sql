-- name: insert_key
-- Keep a new key's hash, never the key.
INSERT INTO api_key (id, name, secret_sha256, roles, approver_roles, expires_at, tenant, scopes)
VALUES (%(id)s, %(name)s, %(sha)s, %(roles)s, %(approver_roles)s, %(expires_at)s, %(tenant)s, %(scopes)s);

-- name: key_by_id
-- A key that still counts.
SELECT id, name, secret_sha256, roles, approver_roles, tenant, scopes FROM api_key
WHERE id = %(id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- name: by_name
-- Whoever has this name in records and still counts: a key, or somebody whose newest token is not too old.
SELECT 'key:' || name AS name, tenant, roles, approver_roles, scopes FROM api_key
WHERE 'key:' || name = %(name)s AND name = substr(%(name)s::text, 5) AND tenant = %(tenant)s
  AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
UNION ALL
SELECT name, tenant, roles, approver_roles, scopes FROM person
WHERE name = %(name)s AND tenant = %(tenant)s AND blocked_at IS NULL AND seen_at > now() - interval '30 days'
UNION ALL
SELECT 'sender:' || name AS name, tenant, ARRAY['caller'] AS roles, ARRAY[]::text[] AS approver_roles, scopes FROM sender
WHERE name = substr(%(name)s::text, 8) AND %(name)s LIKE 'sender:%%' AND tenant = %(tenant)s AND revoked_at IS NULL;

-- name: list_keys
-- Every key, without its secret.
SELECT id, name, tenant, roles, approver_roles, scopes, created_at, expires_at, revoked_at FROM api_key ORDER BY created_at;

-- name: revoke_key
-- End a key by id or name.
UPDATE api_key SET revoked_at = now() WHERE (id = %(key)s OR name = %(key)s) AND revoked_at IS NULL
RETURNING id, name, tenant;

-- name: count_keys
-- Are there any keys at all?
SELECT any_live_key() AS keys;

-- name: person
-- What is known of somebody who signed in by a token.
SELECT name, roles, approver_roles, scopes, rights_at, blocked_at, seen_at < now() - interval '5 minutes' AS seen_long_ago
FROM person WHERE tenant = %(tenant)s AND name = %(name)s;

-- name: keep_person
-- Keep what the newest token of somebody says; an older one changes nothing.
INSERT INTO person AS p (tenant, name, roles, approver_roles, scopes, rights_at)
VALUES (%(tenant)s, %(name)s, %(roles)s, %(approver_roles)s, %(scopes)s, %(rights_at)s)
ON CONFLICT (tenant, name) DO UPDATE SET roles = excluded.roles, approver_roles = excluded.approver_roles,
    scopes = excluded.scopes, rights_at = excluded.rights_at, seen_at = now()
WHERE p.rights_at <= excluded.rights_at
RETURNING name, roles, approver_roles, scopes, rights_at, blocked_at, false AS seen_long_ago;

-- name: list_people
-- Everybody of a tenant who signed in by a token.
SELECT name, roles, approver_roles, scopes, first_seen_at, seen_at, blocked_at, blocked_by FROM person
WHERE tenant = %(tenant)s ORDER BY name;

-- name: set_blocked
-- Block somebody, or let them in again where nobody is named.
UPDATE person SET blocked_by = %(by)s, blocked_at = CASE WHEN %(by)s::text IS NULL THEN NULL ELSE now() END
WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name;

-- name: rights_now
-- Whoever has this name and still counts, or nobody; and whether anybody ever had to say who they are.
SELECT found.*, anybody_is_known() AS guarded FROM (SELECT 1) AS one LEFT JOIN (
    SELECT 'key:' || name AS name, tenant, roles, approver_roles, scopes FROM api_key
    WHERE 'key:' || name = %(name)s AND name = substr(%(name)s::text, 5) AND tenant = %(tenant)s
      AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    UNION ALL
    SELECT name, tenant, roles, approver_roles, scopes FROM person
    WHERE name = %(name)s AND tenant = %(tenant)s AND blocked_at IS NULL AND seen_at > now() - interval '30 days'
UNION ALL
SELECT 'sender:' || name AS name, tenant, ARRAY['caller'] AS roles, ARRAY[]::text[] AS approver_roles, scopes FROM sender
WHERE name = substr(%(name)s::text, 8) AND %(name)s LIKE 'sender:%%' AND tenant = %(tenant)s AND revoked_at IS NULL
) AS found ON true;

-- name: insert_sender
-- Keep who may send what starts cases.
INSERT INTO sender (id, tenant, name, kind, workflow, public_key, sealed_secret, scopes)
VALUES (%(id)s, %(tenant)s, %(name)s, %(kind)s, %(workflow)s, %(public_key)s, %(sealed_secret)s, %(scopes)s);

-- name: list_senders
-- A tenant's senders.
SELECT id, name, kind, workflow, public_key, scopes, created_at, revoked_at FROM sender
WHERE tenant = %(tenant)s ORDER BY created_at;

-- name: revoke_sender
-- Take nothing from a sender any more.
UPDATE sender SET revoked_at = now() WHERE id = %(id)s AND tenant = %(tenant)s AND revoked_at IS NULL RETURNING id;

-- name: sender
-- A sender that still counts.
SELECT id, tenant, name, kind, workflow, public_key, sealed_secret FROM sender
WHERE id = %(id)s AND kind = %(kind)s AND revoked_at IS NULL;

-- name: take_message
-- Remember a message for 30 days; nothing where it is remembered already.
WITH forgotten AS (
    DELETE FROM received_message WHERE sender_id = %(sender_id)s AND received_at < now() - interval '30 days'
)
INSERT INTO received_message (sender_id, message_id, tenant, thread_id)
VALUES (%(sender_id)s, %(message_id)s, %(tenant)s, %(thread_id)s)
ON CONFLICT DO NOTHING RETURNING thread_id;

-- name: message
-- What a message started.
SELECT thread_id FROM received_message WHERE sender_id = %(sender_id)s AND message_id = %(message_id)s;
