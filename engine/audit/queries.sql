-- name: append
-- Add a record to a case's chain, in the transaction of what it records.
SELECT audit_append(%(stream)s, %(canon)b, %(haste)s, %(tenant)s, %(objects)s::text[], %(payload)b, %(salt)b);

-- name: append_all
-- Add several records to a case's chain, in the transaction of what they record.
SELECT audit_append_all(%(stream)s, %(canons)b, %(haste)s);

-- name: chain
-- A case's chain in order, as stored, behind one record.
SELECT r.seq, r.prev, r.hash, r.canon, r.payload, s.salt
FROM audit_record r LEFT JOIN audit_salt s ON s.id = substr(r.payload, 1, 16) AND s.stream = r.stream
WHERE r.stream = %(stream)s AND r.seq > %(after)s ORDER BY r.seq;

-- name: head
-- Where a case's chain ends.
SELECT seq, hash FROM audit_head WHERE stream = %(stream)s;

-- name: case_of_effect
-- The case of a ledger row, by its key or by the approval it consumed.
SELECT e.thread_id, e.call_key, e.action_digest, a.card ->> 'undo' AS undo
FROM effect e JOIN run r ON r.id = e.run_id LEFT JOIN approval a ON a.id = e.approval_id
WHERE (e.call_key = %(key)s OR e.approval_id::text = %(key)s) AND r.tenant = %(tenant)s;

-- name: heads
-- Where every chain ends, or one, and up to where checkpoints have noted it.
SELECT stream, seq, hash FROM audit_head WHERE %(only)s = '' OR stream = %(only)s;

-- name: page
-- Records of all chains in the order of their names, behind one record.
SELECT stream, seq, prev, hash, canon FROM audit_record WHERE (stream, seq) > (%(stream)s, %(seq)s)
ORDER BY stream, seq LIMIT %(most)s;

-- name: page_of_one
-- Records of one chain, behind one record.
SELECT stream, seq, prev, hash, canon FROM audit_record WHERE stream = %(stream)s AND seq > %(seq)s
ORDER BY seq LIMIT %(most)s;

-- name: be_notary
-- Make the next checkpoint alone, until the transaction ends.
SELECT pg_try_advisory_xact_lock(%(key)s) AS taken;

-- name: is_due
-- Whether there is something to note in a checkpoint now.
SELECT EXISTS (SELECT FROM audit_head WHERE moved = 2)
    OR (EXISTS (SELECT FROM audit_head WHERE moved > 0)
        AND coalesce((SELECT made_at < now() - make_interval(secs => %(every_s)s)
                      FROM audit_checkpoint ORDER BY number DESC LIMIT 1), true)) AS due;

-- name: take_moved
-- Take the heads that moved since the checkpoint that named them last.
SELECT stream, seq, hash, noted_before FROM audit_take_moved(%(most)s);

-- name: note_checkpoint
-- Keep a checkpoint with its leaves.
SELECT audit_note_checkpoint(%(number)s, %(body)s, %(signature)s, %(key_id)s,
                             %(streams)s, %(seqs)s::bigint[], %(hashes)b::bytea[]);

-- name: last_checkpoint
-- The newest checkpoint.
SELECT number, body, signature, key_id FROM audit_checkpoint ORDER BY number DESC LIMIT 1;

-- name: checkpoints
-- Checkpoints in order, behind one of them.
SELECT number, body, signature, key_id FROM audit_checkpoint WHERE number > %(after)s ORDER BY number LIMIT %(most)s;

-- name: newest_with
-- The newest checkpoint that names a chain.
SELECT number, body, signature, key_id FROM audit_checkpoint
WHERE number = (SELECT max(checkpoint) FROM audit_leaf WHERE stream = %(stream)s);

-- name: leaves
-- The heads that some checkpoints name.
SELECT checkpoint, stream, seq, hash FROM audit_leaf WHERE checkpoint > %(after)s AND checkpoint <= %(until)s;

-- name: cases_about
-- The cases whose calls named an object, by its kind or by the system that keeps it, behind one of them.
SELECT o.stream, max(r.thread_id::text) AS thread_id, max(r.run_id::text) AS run_id, max(r.workflow) AS workflow,
       max(r.requester) AS requester, max(r.opened_at) AS opened_at, max(r.outcome) AS outcome,
       jsonb_agg(DISTINCT jsonb_build_object('kind', o.kind, 'system', o.system, 'value', o.value,
                                             'first_seq', o.first_seq)) AS objects
FROM audit_object o
LEFT JOIN LATERAL (SELECT thread_id, id AS run_id, workflow, requester, created_at AS opened_at,
                          (SELECT l.outcome FROM run l WHERE l.thread_id = first.thread_id ORDER BY l.seq DESC LIMIT 1)
                   FROM run first WHERE thread_id = substr(o.stream, 6)::uuid ORDER BY seq LIMIT 1) r ON true
WHERE o.tenant = %(tenant)s AND o.value = %(value)s AND %(kind)s IN (o.kind, o.system) AND o.stream > %(after)s
GROUP BY o.stream ORDER BY o.stream LIMIT %(limit)s;

-- name: case_itself
-- A case by the id of its thread, with all objects that its calls named.
SELECT 'case:' || r.thread_id AS stream, r.thread_id::text, r.id::text AS run_id, r.workflow, r.requester,
       r.created_at AS opened_at, (SELECT outcome FROM run l WHERE l.thread_id = r.thread_id ORDER BY seq DESC LIMIT 1),
       (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', o.kind, 'system', o.system, 'value', o.value,
                                                     'first_seq', o.first_seq)), '[]')
        FROM audit_object o WHERE o.stream = 'case:' || r.thread_id AND o.tenant = r.tenant) AS objects
FROM run r WHERE r.thread_id::text = %(value)s AND r.tenant = %(tenant)s AND %(after)s < 'case:' || r.thread_id
ORDER BY r.seq LIMIT 1;

-- name: of_a_case
-- A case, and whether it is under way.
SELECT id AS thread_id, status <> 'idle' AS under_way FROM thread WHERE id::text = %(value)s AND tenant = %(tenant)s
LIMIT %(most)s;

-- name: of_a_requester
-- Cases of which somebody asked for a run, if there is still something to erase.
SELECT t.id AS thread_id, t.status <> 'idle' AS under_way FROM thread t
WHERE t.tenant = %(tenant)s AND EXISTS (SELECT FROM run r WHERE r.thread_id = t.id AND r.requester = %(value)s)
  AND EXISTS (SELECT FROM audit_salt s WHERE s.stream = 'case:' || t.id AND s.salt IS NOT NULL)
ORDER BY t.id LIMIT %(most)s;

-- name: of_an_object
-- Cases whose calls named a business object.
SELECT t.id AS thread_id, t.status <> 'idle' AS under_way FROM thread t
WHERE t.tenant = %(tenant)s AND t.id IN (
    SELECT substr(o.stream, 6)::uuid FROM audit_object o
    WHERE o.tenant = %(tenant)s AND o.value = %(value)s AND %(kind)s IN (o.kind, o.system))
ORDER BY t.id LIMIT %(most)s;

-- name: erase
-- Forget what the payloads of these chains are read with.
SELECT audit_erase(%(streams)s) AS keys;

-- name: salts_of
-- What payloads of one chain can be read with.
SELECT id, salt FROM audit_salt WHERE stream = %(stream)s AND salt IS NOT NULL;

-- name: salts
-- What payloads can be read with, by the id that they begin with; those that were erased are gone.
SELECT id, stream, salt FROM audit_salt WHERE salt IS NOT NULL;

-- name: closable
-- Chains that nobody has touched since a checkpoint noted them that is old enough: ended cases, and old parts of others.
SELECT h.stream, h.tenant, l.seq, l.hash, h.pruned + 1 AS first, l.made_at AS noted_at, k.days AS keep_days
FROM audit_head h
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT max(coalesce((%(keep)s::jsonb ->> r.workflow)::float8, %(other)s))
                     FROM run r WHERE r.thread_id = CASE WHEN h.stream LIKE 'case:%%' THEN substr(h.stream, 6)::uuid END),
                    %(other)s)::float8 AS days) k
CROSS JOIN LATERAL (
    SELECT a.seq, a.hash, c.made_at FROM audit_leaf a JOIN audit_checkpoint c ON c.number = a.checkpoint
    WHERE a.stream = h.stream AND c.made_at < now() - make_interval(secs => k.days * 86400)
    ORDER BY a.seq DESC LIMIT 1) l
WHERE h.stream > %(after)s AND h.seq > h.sealed + 1 AND l.seq > h.sealed
  AND EXISTS (SELECT FROM audit_checkpoint WHERE made_at < now() - make_interval(secs => %(least)s * 86400))
  AND CASE WHEN h.stream LIKE 'case:%%' THEN l.seq = h.seq AND audit_has_ended(h.stream)
           ELSE NOT EXISTS (SELECT FROM audit_seal s
                            WHERE s.stream = h.stream AND s.closed_at > now() - interval '30 days') END
ORDER BY h.stream LIMIT %(limit)s;

-- name: hold_to_close
-- Hold a case as it was found, unless somebody else holds it or has gone on with it; other chains are nobody's to hold.
WITH held AS (
    SELECT id FROM thread
    WHERE id = CASE WHEN %(stream)s LIKE 'case:%%' THEN substr(%(stream)s, 6)::uuid END AND status IN ('idle', 'error')
    FOR NO KEY UPDATE SKIP LOCKED)
SELECT h.stream FROM audit_head h
WHERE h.stream = %(stream)s AND h.sealed < %(seq)s
  AND (h.stream NOT LIKE 'case:%%' OR (h.seq = %(seq)s AND EXISTS (SELECT FROM held)));

-- name: note_seal
-- Keep a seal; the newest record of its chain holds its digest.
SELECT audit_note_seal(%(stream)s, %(seq)s, %(body)b, %(signature)b, %(key_id)s, %(keep_days)s);

-- name: prunable
-- Seals that a checkpoint covers and behind which there still is something.
SELECT s.stream, s.seq, s.hash, s.body, s.signature, s.key_id
FROM audit_head h JOIN audit_seal s ON s.stream = h.stream AND s.seq = h.sealed
WHERE h.sealed > h.pruned AND h.noted >= s.recorded AND h.stream > %(after)s AND audit_has_ended(h.stream)
ORDER BY h.stream LIMIT %(limit)s;

-- name: prune
-- Delete what lies behind the newest seal of a chain.
SELECT audit_prune(%(stream)s) AS records;

-- name: seals
-- The seals of all chains, or of one.
SELECT stream, seq, hash, body, signature, key_id FROM audit_seal
WHERE %(only)s = '' OR stream = %(only)s ORDER BY stream, seq;

-- name: now
-- What time it is in the database.
SELECT now() AS at;
