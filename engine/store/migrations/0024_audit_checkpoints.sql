-- Signed checkpoints over the heads of audit chains. What is hashed in a chain has not changed.

ALTER TABLE audit_head
    ADD COLUMN moved smallint NOT NULL DEFAULT 1 CHECK (moved BETWEEN 0 AND 2),
    ADD COLUMN noted bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN audit_head.moved IS '0: the newest checkpoint that names it stands here, 1: it moved since, 2: and that is to be noted at once';
COMMENT ON COLUMN audit_head.noted IS 'seq in the newest checkpoint that names it';
CREATE INDEX audit_head_moved ON audit_head (moved) WHERE moved > 0;

CREATE TABLE audit_checkpoint (
    number          bigint PRIMARY KEY CHECK (number > 0),
    body            bytea NOT NULL,
    signature       bytea NOT NULL,
    key_id          text NOT NULL,
    made_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit_checkpoint IS 'signed statements about the heads that moved since the one before; body is RFC 8785 JSON';

CREATE TABLE audit_leaf (
    checkpoint      bigint NOT NULL REFERENCES audit_checkpoint,
    stream          text NOT NULL,
    seq             bigint NOT NULL,
    hash            bytea NOT NULL,
    PRIMARY KEY (checkpoint, stream)
);
CREATE INDEX audit_leaf_by_stream ON audit_leaf (stream, seq);
COMMENT ON TABLE audit_leaf IS 'the heads that a checkpoint names: the leaves of its Merkle tree, in order of their bytes';

CREATE TRIGGER audit_checkpoint_no_change BEFORE UPDATE OR DELETE ON audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_checkpoint_no_truncate BEFORE TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_leaf_no_change BEFORE UPDATE OR DELETE ON audit_leaf
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_leaf_no_truncate BEFORE TRUNCATE ON audit_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Records are linked as before; the head also says whether the next checkpoint is to wait.
DROP FUNCTION audit_append(text, bytea);
DROP FUNCTION audit_append_all(text, bytea[]);

CREATE FUNCTION audit_append_all(p_stream text, p_canons bytea[], p_haste integer DEFAULT 1) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_seq   bigint;
    v_prev  bytea;
    v_hash  bytea;
    v_canon bytea;
BEGIN
    SELECT seq, hash INTO v_seq, v_prev FROM audit_head WHERE stream = p_stream FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_head (stream, seq, hash) VALUES (p_stream, 0, decode(repeat('00', 32), 'hex'))
        ON CONFLICT DO NOTHING;
        SELECT seq, hash INTO v_seq, v_prev FROM audit_head WHERE stream = p_stream FOR UPDATE;
    END IF;
    FOREACH v_canon IN ARRAY p_canons LOOP
        v_seq := v_seq + 1;
        v_hash := sha256('\x00'::bytea || convert_to(p_stream, 'UTF8') || '\x00'::bytea || int8send(v_seq)
                         || v_prev || v_canon);
        INSERT INTO audit_record VALUES (p_stream, v_seq, v_prev, v_hash, v_canon);
        v_prev := v_hash;
    END LOOP;
    UPDATE audit_head SET seq = v_seq, hash = v_prev, moved = greatest(moved, p_haste) WHERE stream = p_stream;
END $$;

CREATE FUNCTION audit_append(p_stream text, p_canon bytea, p_haste integer DEFAULT 1) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT audit_append_all(p_stream, ARRAY[p_canon], p_haste)
$$;

-- Heads that moved are taken once: whoever appends at this moment is passed over and waits for nobody.
CREATE FUNCTION audit_take_moved(p_most integer)
RETURNS TABLE (stream text, seq bigint, hash bytea, noted_before bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH taken AS (
        SELECT h.stream, h.noted FROM audit_head h WHERE h.moved > 0 ORDER BY h.moved DESC LIMIT p_most
        FOR UPDATE SKIP LOCKED
    )
    UPDATE audit_head h SET moved = 0, noted = h.seq FROM taken WHERE h.stream = taken.stream
    RETURNING h.stream, h.seq, h.hash, taken.noted
$$;

CREATE FUNCTION audit_note_checkpoint(p_number bigint, p_body bytea, p_signature bytea, p_key_id text,
                                      p_streams text[], p_seqs bigint[], p_hashes bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO audit_checkpoint (number, body, signature, key_id) VALUES (p_number, p_body, p_signature, p_key_id);
    INSERT INTO audit_leaf SELECT p_number, * FROM unnest(p_streams, p_seqs, p_hashes);
$$;
