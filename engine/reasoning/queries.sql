-- name: write_page
-- Keep a page of a case's trace, what it refers to that lies apart, what both can be read with, and what stages took.
WITH salt AS (SELECT audit_keep_salt(%(stream)s, %(tenant)s, %(salt)s) AS kept),
blobs AS (
    INSERT INTO trace_blob (tenant, thread_id, digest, payload)
    SELECT %(tenant)s, %(thread_id)s::uuid, b.digest, b.payload
    FROM unnest(%(digests)s::bytea[], %(blobs)s::bytea[]) AS b (digest, payload)
    ON CONFLICT DO NOTHING),
measured AS (
    INSERT INTO stage_use (tenant, case_id, stage, visits, failed, us, led)
    SELECT %(tenant)s, %(case_id)s::uuid, m.stage, m.visits, m.failed, m.us, m.led
    FROM jsonb_to_recordset(%(took)s) AS m (stage text, visits integer, failed integer, us bigint, led text[])
    ON CONFLICT (case_id, stage) DO UPDATE
    SET visits = stage_use.visits + excluded.visits, failed = stage_use.failed + excluded.failed,
        us = stage_use.us + excluded.us, led = stage_use.led || excluded.led)
INSERT INTO trace_page (tenant, thread_id, case_id, run_id, risk, payload)
SELECT %(tenant)s, %(thread_id)s::uuid, %(case_id)s::uuid, %(run_id)s::uuid, %(risk)s, %(payload)s FROM salt;

-- name: pages
-- The pages of a case in order.
SELECT run_id, payload FROM trace_page WHERE case_id = %(case_id)s ORDER BY number;

-- name: blobs
-- What lies apart of a thread, by digest.
SELECT digest, payload FROM trace_blob WHERE thread_id = %(thread_id)s AND digest = ANY(%(digests)s);

-- name: old_threads
-- Threads of routine cases, outside the share that is kept, of which nothing was traced for so long and nothing waits.
SELECT count(*) AS threads FROM (
    SELECT DISTINCT p.thread_id FROM trace_page p
    WHERE p.risk = 'routine' AND p.written_at < now() - %(older)s
      AND ('x' || encode(substr(sha256(convert_to(p.thread_id::text, 'UTF8')), 1, 4), 'hex'))::bit(32)::bigint
          >= %(share)s * 4294967296
      AND NOT EXISTS (SELECT FROM trace_page q WHERE q.thread_id = p.thread_id
                      AND (q.risk <> 'routine' OR q.written_at >= now() - %(older)s))
      AND audit_has_ended('case:' || p.thread_id)) AS old;

-- name: forget_threads
-- Delete what was traced of those threads.
WITH old AS (
    SELECT DISTINCT p.thread_id FROM trace_page p
    WHERE p.risk = 'routine' AND p.written_at < now() - %(older)s
      AND ('x' || encode(substr(sha256(convert_to(p.thread_id::text, 'UTF8')), 1, 4), 'hex'))::bit(32)::bigint
          >= %(share)s * 4294967296
      AND NOT EXISTS (SELECT FROM trace_page q WHERE q.thread_id = p.thread_id
                      AND (q.risk <> 'routine' OR q.written_at >= now() - %(older)s))
      AND audit_has_ended('case:' || p.thread_id)
    LIMIT %(limit)s),
pages AS (DELETE FROM trace_page WHERE thread_id IN (SELECT thread_id FROM old)),
blobs AS (DELETE FROM trace_blob WHERE thread_id IN (SELECT thread_id FROM old))
SELECT count(*) AS threads FROM old;
