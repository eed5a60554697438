-- name: append
-- Add a record to a case's chain, in the transaction of what it records.
SELECT audit_append(%(stream)s, %(canon)b);

-- name: append_all
-- Add several records to a case's chain, in the transaction of what they record.
SELECT audit_append_all(%(stream)s, %(canons)b);

-- name: chain
-- A case's chain in order, as stored, behind one record.
SELECT seq, prev, hash, canon FROM audit_record WHERE stream = %(stream)s AND seq > %(after)s ORDER BY seq;

-- name: head
-- Where a case's chain ends.
SELECT seq, hash FROM audit_head WHERE stream = %(stream)s;

-- name: streams
-- Every chain that has a head or a record.
SELECT stream FROM audit_head UNION SELECT stream FROM audit_record ORDER BY stream;

-- name: case_of_effect
-- The case of a ledger row, by its key or by the approval it consumed.
SELECT e.thread_id, e.call_key, e.action_digest, a.card ->> 'undo' AS undo
FROM effect e JOIN run r ON r.id = e.run_id LEFT JOIN approval a ON a.id = e.approval_id
WHERE (e.call_key = %(key)s OR e.approval_id::text = %(key)s) AND r.tenant = %(tenant)s;
