-- Several records of a chain in one call, as one call after another would have linked them.

CREATE FUNCTION audit_append_all(p_stream text, p_canons bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    v_seq   bigint;
    v_prev  bytea;
    v_hash  bytea;
    v_canon bytea;
BEGIN
    INSERT INTO audit_head VALUES (p_stream, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
    SELECT seq, hash INTO v_seq, v_prev FROM audit_head WHERE stream = p_stream FOR UPDATE;
    FOREACH v_canon IN ARRAY p_canons LOOP
        v_seq := v_seq + 1;
        v_hash := sha256('\x00'::bytea || convert_to(p_stream, 'UTF8') || '\x00'::bytea || int8send(v_seq)
                         || v_prev || v_canon);
        INSERT INTO audit_record VALUES (p_stream, v_seq, v_prev, v_hash, v_canon);
        v_prev := v_hash;
    END LOOP;
    UPDATE audit_head SET seq = v_seq, hash = v_prev WHERE stream = p_stream;
END $$;
