-- Seals: signed statements up to where an ended chain is closed. What lies behind one may be pruned, by one function alone.

CREATE TABLE audit_seal (
    stream          text NOT NULL,
    seq             bigint NOT NULL CHECK (seq > 0),
    hash            bytea NOT NULL,
    body            bytea NOT NULL,
    signature       bytea NOT NULL,
    key_id          text NOT NULL,
    recorded        bigint NOT NULL,
    keep_days       float8 NOT NULL CHECK (keep_days >= 1),
    closed_at       timestamptz NOT NULL DEFAULT now(),
    tenant          text,
    PRIMARY KEY (stream, seq),
    CHECK (recorded > seq)
);
COMMENT ON TABLE audit_seal IS 'signed statements about the record up to which a chain is closed; body is RFC 8785 JSON';
COMMENT ON COLUMN audit_seal.recorded IS 'the record of the chain that holds the digest of the body';
SELECT keep_to_tenants('audit_seal');
REVOKE INSERT, UPDATE, DELETE ON audit_seal FROM gatehouse_app;

CREATE TRIGGER audit_seal_no_change BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_seal_no_truncate BEFORE TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

ALTER TABLE audit_head
    ADD COLUMN sealed bigint NOT NULL DEFAULT 0,
    ADD COLUMN pruned bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN audit_head.sealed IS 'seq up to which the newest seal closes the chain';
COMMENT ON COLUMN audit_head.pruned IS 'seq up to which records are gone';
CREATE INDEX audit_head_sealed ON audit_head (stream) WHERE sealed > pruned;
CREATE INDEX audit_checkpoint_made_at ON audit_checkpoint (made_at);

-- Whether a case has ended: nobody works on it or is asked, and no effect of it is unsettled.
CREATE FUNCTION audit_has_ended(p_stream text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_thread uuid;
BEGIN
    IF p_stream NOT LIKE 'case:%' THEN
        RETURN true;
    END IF;
    v_thread := substr(p_stream, 6)::uuid;
    RETURN NOT EXISTS (SELECT FROM thread WHERE id = v_thread AND status NOT IN ('idle', 'error'))
        AND NOT EXISTS (SELECT FROM run WHERE thread_id = v_thread AND status IN ('pending', 'running'))
        AND NOT EXISTS (SELECT FROM approval WHERE thread_id = v_thread AND status = 'pending')
        AND NOT EXISTS (SELECT FROM question WHERE thread_id = v_thread AND status = 'open')
        AND NOT EXISTS (SELECT FROM effect WHERE thread_id = v_thread AND effect_class <> 'read'
                        AND state NOT IN ('done', 'refused', 'resolved_done', 'resolved_not_done'));
END $$;

-- Whether a checkpoint named exactly this head so many days ago. Its time is the database's, and cannot be changed.
CREATE FUNCTION audit_was_noted(p_stream text, p_seq bigint, p_hash bytea, p_days float8) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM audit_leaf l JOIN audit_checkpoint c ON c.number = l.checkpoint
                   WHERE l.stream = p_stream AND l.seq = p_seq AND l.hash = p_hash
                     AND c.made_at < now() - make_interval(secs => p_days * 86400))
$$;

-- Keeps the seal whose digest the newest record of its chain holds.
CREATE FUNCTION audit_note_seal(p_stream text, p_seq bigint, p_body bytea, p_signature bytea, p_key_id text,
                                p_keep_days float8) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_head  audit_head;
    v_hash  bytea;
    v_said  jsonb := convert_from(p_body, 'UTF8')::jsonb;
BEGIN
    SELECT * INTO v_head FROM audit_head WHERE stream = p_stream FOR UPDATE;
    SELECT hash INTO v_hash FROM audit_record WHERE stream = p_stream AND seq = p_seq;
    IF v_hash IS NULL OR p_seq <= v_head.sealed
       OR (v_said ->> 'stream', v_said ->> 'seq', v_said ->> 'hash', (v_said ->> 'keep_days')::float8)
          IS DISTINCT FROM (p_stream, p_seq::text, encode(v_hash, 'hex'), p_keep_days)
       OR NOT audit_was_noted(p_stream, p_seq, v_hash, p_keep_days) OR NOT audit_has_ended(p_stream)
       OR NOT EXISTS (SELECT FROM audit_record WHERE stream = p_stream AND seq = v_head.seq AND seq > p_seq
                      AND convert_from(canon, 'UTF8')::jsonb #>> '{data,seal}' = encode(sha256(p_body), 'hex')) THEN
        RAISE EXCEPTION 'record % of % cannot be sealed', p_seq, p_stream USING ERRCODE = 'GH003';
    END IF;
    INSERT INTO audit_seal (stream, seq, hash, body, signature, key_id, recorded, keep_days, tenant)
    VALUES (p_stream, p_seq, v_hash, p_body, p_signature, p_key_id, v_head.seq, p_keep_days, v_head.tenant);
    UPDATE audit_head SET sealed = p_seq, moved = 2 WHERE stream = p_stream;
END $$;

-- Deletes what lies behind the newest seal of a chain, once a checkpoint covers it; says how many records that was.
CREATE FUNCTION audit_prune(p_stream text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_seal   audit_seal;
    v_said   jsonb;
    v_pruned bigint;
BEGIN
    PERFORM FROM audit_head WHERE stream = p_stream FOR UPDATE;
    SELECT * INTO v_seal FROM audit_seal WHERE stream = p_stream ORDER BY seq DESC LIMIT 1;
    v_said := convert_from(v_seal.body, 'UTF8')::jsonb;
    IF v_seal IS NULL OR (v_said ->> 'stream', v_said ->> 'seq', v_said ->> 'hash')
          IS DISTINCT FROM (p_stream, v_seal.seq::text, encode(v_seal.hash, 'hex'))
       OR NOT audit_was_noted(p_stream, v_seal.seq, v_seal.hash, v_seal.keep_days) OR NOT audit_has_ended(p_stream)
       OR NOT EXISTS (SELECT FROM audit_record WHERE stream = p_stream AND seq = v_seal.recorded
                      AND convert_from(canon, 'UTF8')::jsonb #>> '{data,seal}' = encode(sha256(v_seal.body), 'hex'))
       OR NOT EXISTS (SELECT FROM audit_leaf WHERE stream = p_stream AND seq >= v_seal.recorded) THEN
        RAISE EXCEPTION 'no seal that a checkpoint covers lets records of % go', p_stream USING ERRCODE = 'GH003';
    END IF;
    PERFORM set_config('gatehouse.pruning', p_stream, true);
    DELETE FROM audit_record WHERE stream = p_stream AND seq <= v_seal.seq;
    GET DIAGNOSTICS v_pruned = ROW_COUNT;
    PERFORM set_config('gatehouse.pruning', '', true);
    DELETE FROM audit_salt s WHERE s.stream = p_stream AND NOT EXISTS (
        SELECT FROM audit_record r WHERE r.stream = p_stream AND substr(r.payload, 1, 16) = s.id);
    DELETE FROM audit_object WHERE stream = p_stream AND first_seq <= v_seal.seq;
    UPDATE audit_head SET pruned = v_seal.seq WHERE stream = p_stream;
    RETURN v_pruned;
END $$;

-- Every change of a record is refused as before, but for what the function above deletes behind a seal.
CREATE FUNCTION audit_record_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('gatehouse.pruning', true) = OLD.stream
       AND EXISTS (SELECT FROM audit_seal WHERE stream = OLD.stream AND seq >= OLD.seq) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'GH002';
END $$;
DROP TRIGGER audit_record_no_change ON audit_record;
CREATE TRIGGER audit_record_no_change BEFORE UPDATE OR DELETE ON audit_record
    FOR EACH ROW EXECUTE FUNCTION audit_record_stays();
