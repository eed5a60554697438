-- name: stands_at
-- The stages that the newest checkpoint of each thread says come next.
SELECT newest.thread_id, substr(blob.channel, length('branch:to:') + 1) AS stage
FROM unnest(%(thread_ids)s::text[]) AS asked (thread_id)
CROSS JOIN LATERAL (SELECT thread_id, checkpoint FROM checkpoints
                    WHERE thread_id = asked.thread_id AND checkpoint_ns = ''
                    ORDER BY checkpoint_id DESC LIMIT 1) AS newest
CROSS JOIN LATERAL jsonb_each_text(newest.checkpoint -> 'channel_versions') AS channel (name, version)
JOIN checkpoint_blobs blob ON blob.thread_id = newest.thread_id AND blob.checkpoint_ns = ''
                          AND blob.channel = channel.name AND blob.version = channel.version
WHERE channel.name LIKE 'branch:to:%%' AND blob.type <> 'empty';

-- name: server_facts
-- What the server says of itself.
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_num,
       current_setting('server_encoding') AS encoding, current_setting('default_transaction_isolation') AS isolation,
       current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
       pg_is_in_recovery() AS standby, clock_timestamp() AS clock,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connected;

-- name: sample_value
-- One stored value of a thread.
SELECT type, blob FROM checkpoint_blobs WHERE thread_id = %(thread_id)s AND type <> 'empty' AND blob IS NOT NULL LIMIT 1;

-- name: fence
-- Refuse to write for a run that another worker holds by now.
SELECT fence(%s, %s);

-- name: insert_checkpoints
-- Keep checkpoints, given by columns.
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::jsonb[], %b::jsonb[])
ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
DO UPDATE SET checkpoint = excluded.checkpoint, metadata = excluded.metadata;

-- name: insert_blobs
-- Keep the values of checkpoints, given by columns; a version of a value never changes.
INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[])
ON CONFLICT DO NOTHING;

-- name: insert_writes
-- Keep what stages wrote, given by columns; interrupts, errors and answers (negative idx) replace earlier ones.
INSERT INTO checkpoint_writes AS kept (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type,
                                       blob)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::integer[], %b::text[], %b::text[],
                     %b::bytea[])
ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
DO UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob WHERE kept.idx < 0;

-- name: delete_checkpoints
-- Forget a thread's checkpoints.
DELETE FROM checkpoints WHERE thread_id = %(thread_id)s;

-- name: delete_blobs
-- Forget the values of a thread's checkpoints.
DELETE FROM checkpoint_blobs WHERE thread_id = %(thread_id)s;

-- name: delete_writes
-- Forget what a thread's stages wrote.
DELETE FROM checkpoint_writes WHERE thread_id = %(thread_id)s;

-- name: delete_writes_of_run
-- Forget what the stages of one run wrote.
DELETE FROM checkpoint_writes w USING checkpoints c
WHERE c.thread_id = %(thread_id)s AND c.metadata ->> 'run_id' = %(run_id)s AND w.thread_id = c.thread_id
  AND w.checkpoint_ns = c.checkpoint_ns AND w.checkpoint_id = c.checkpoint_id;

-- name: delete_checkpoints_of_run
-- Forget the checkpoints that one run made; retention collects the values that only they used.
DELETE FROM checkpoints WHERE thread_id = %(thread_id)s AND metadata ->> 'run_id' = %(run_id)s;

-- name: blobs
-- The values of a thread's checkpoints.
SELECT checkpoint_ns, channel, version, type, blob FROM checkpoint_blobs WHERE thread_id = %(old)s;

-- name: writes
-- What a thread's stages wrote.
SELECT checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob FROM checkpoint_writes
WHERE thread_id = %(old)s;

-- name: copy_checkpoints
-- Give another thread the same checkpoints; their values are sealed and copied by hand.
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
SELECT %(new)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
FROM checkpoints WHERE thread_id = %(old)s;

-- name: try_lock
-- Hold an advisory lock until the transaction ends, if nobody else does.
SELECT pg_try_advisory_xact_lock(%(key)s) AS taken;

-- name: surplus
-- Checkpoints behind the newest of a thread: a call of a subgraph goes with the checkpoint that it was made from. None of
-- a thread with counters of a DeltaChannel, whose checkpoints are built on each other.
WITH numbered AS (
    SELECT checkpoint_ns, checkpoint_id, metadata -> 'parents' ->> '' AS root,
           row_number() OVER (PARTITION BY checkpoint_ns ORDER BY checkpoint_id DESC) AS nth
    FROM checkpoints WHERE thread_id = %(thread_id)s
)
SELECT checkpoint_ns, checkpoint_id FROM numbered
WHERE CASE WHEN position(':' IN checkpoint_ns) = 0 THEN nth > %(keep)s
           ELSE root IN (SELECT checkpoint_id FROM numbered WHERE checkpoint_ns = '' AND nth > %(keep)s) END
  AND NOT EXISTS (SELECT 1 FROM checkpoints
                  WHERE thread_id = %(thread_id)s AND metadata ? 'counters_since_delta_snapshot');

-- name: prune_writes
-- Forget what stages wrote at these checkpoints.
DELETE FROM checkpoint_writes w USING unnest(%(places)s::text[], %(ids)s::text[]) AS old (checkpoint_ns, checkpoint_id)
WHERE w.thread_id = %(thread_id)s AND w.checkpoint_ns = old.checkpoint_ns AND w.checkpoint_id = old.checkpoint_id;

-- name: prune_checkpoints
-- Forget these checkpoints.
DELETE FROM checkpoints c USING unnest(%(places)s::text[], %(ids)s::text[]) AS old (checkpoint_ns, checkpoint_id)
WHERE c.thread_id = %(thread_id)s AND c.checkpoint_ns = old.checkpoint_ns AND c.checkpoint_id = old.checkpoint_id;

-- name: cut_parents
-- The oldest that are left begin the history.
UPDATE checkpoints c SET parent_checkpoint_id = NULL
WHERE thread_id = %(thread_id)s AND parent_checkpoint_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM checkpoints parent WHERE parent.thread_id = c.thread_id AND parent.checkpoint_ns = c.checkpoint_ns
        AND parent.checkpoint_id = c.parent_checkpoint_id);

-- name: prune_values
-- Forget values that no checkpoint of a thread uses.
DELETE FROM checkpoint_blobs b WHERE thread_id = %(thread_id)s AND NOT EXISTS (
    SELECT 1 FROM checkpoints c WHERE c.thread_id = b.thread_id AND c.checkpoint_ns = b.checkpoint_ns
        AND c.checkpoint -> 'channel_versions' ->> b.channel = b.version);

-- name: text_columns
-- Every column of ours that holds text, JSON or bytes, with the primary key of its table.
SELECT n.nspname AS schema, c.relname AS table, a.attname AS column,
       ARRAY(SELECT k.attname::text FROM pg_index i JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY(i.indkey)
             WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.attnum) AS primary_key
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype,
                     'text[]'::regtype, 'varchar[]'::regtype, 'bytea[]'::regtype, 'jsonb[]'::regtype)
ORDER BY n.nspname, c.relname, a.attnum;

-- name: role_facts
-- Whether a role exists, whether we may take it, and whether it could see through row-level security.
SELECT true AS known, pg_has_role(session_user, oid, 'MEMBER') AS ours, rolsuper OR rolbypassrls AS powerful
FROM pg_roles WHERE rolname = %(role)s;

-- name: bind_application
-- Give the application what it may do with what migrations and libraries have made. Repeatable.
SELECT bind_application();
