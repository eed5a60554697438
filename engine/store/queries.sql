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
