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
