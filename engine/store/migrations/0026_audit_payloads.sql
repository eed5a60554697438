-- What records say of people lies beside the chain, sealed; and which business objects a chain is about.

ALTER TABLE audit_record ADD COLUMN payload bytea;
COMMENT ON COLUMN audit_record.payload IS 'what the record says of people: id of a salt, nonce, AES-GCM; the record holds its digest';

CREATE TABLE audit_salt (
    id              bytea PRIMARY KEY,
    stream          text NOT NULL,
    tenant          text NOT NULL,
    salt            bytea,
    erased_at       timestamptz,
    CHECK ((salt IS NULL) = (erased_at IS NOT NULL))
);
CREATE INDEX audit_salt_by_stream ON audit_salt (stream);
COMMENT ON TABLE audit_salt IS 'what the keys of payloads are made of, together with the installation''s own: erased, they are unreadable for good';

CREATE TABLE audit_object (
    tenant          text NOT NULL,
    value           text NOT NULL,
    kind            text NOT NULL,
    system          text NOT NULL,
    stream          text NOT NULL,
    first_seq       bigint NOT NULL,
    PRIMARY KEY (tenant, value, kind, system, stream)
);
CREATE INDEX audit_object_by_stream ON audit_object (stream);
COMMENT ON TABLE audit_object IS 'business objects that the calls of a case name: order 1042 of the shop';

DROP FUNCTION audit_append(text, bytea, integer);
DROP FUNCTION audit_append_all(text, bytea[], integer);

CREATE FUNCTION audit_append_all(p_stream text, p_canons bytea[], p_haste integer DEFAULT 1,
                                 p_tenant text DEFAULT '', p_objects text[] DEFAULT NULL,
                                 p_payloads bytea[] DEFAULT NULL, p_salt bytea DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_seq   bigint;
    v_prev  bytea;
    v_hash  bytea;
    v_nth   integer;
BEGIN
    SELECT seq, hash INTO v_seq, v_prev FROM audit_head WHERE stream = p_stream FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_head (stream, seq, hash) VALUES (p_stream, 0, decode(repeat('00', 32), 'hex'))
        ON CONFLICT DO NOTHING;
        SELECT seq, hash INTO v_seq, v_prev FROM audit_head WHERE stream = p_stream FOR UPDATE;
    END IF;
    IF p_objects IS NOT NULL THEN
        INSERT INTO audit_object (tenant, value, kind, system, stream, first_seq)
        SELECT p_tenant, p_objects[n + 2], p_objects[n + 1], p_objects[n], p_stream, v_seq + 1
        FROM generate_series(1, cardinality(p_objects), 3) AS n
        ON CONFLICT DO NOTHING;
    END IF;
    IF p_salt IS NOT NULL THEN
        INSERT INTO audit_salt (id, stream, tenant, salt)
        VALUES (substr(sha256(p_salt), 1, 16), p_stream, p_tenant, p_salt) ON CONFLICT DO NOTHING;
    END IF;
    FOR v_nth IN 1 .. cardinality(p_canons) LOOP
        v_seq := v_seq + 1;
        v_hash := sha256('\x00'::bytea || convert_to(p_stream, 'UTF8') || '\x00'::bytea || int8send(v_seq)
                         || v_prev || p_canons[v_nth]);
        INSERT INTO audit_record (stream, seq, prev, hash, canon, payload)
        VALUES (p_stream, v_seq, v_prev, v_hash, p_canons[v_nth], p_payloads[v_nth]);
        v_prev := v_hash;
    END LOOP;
    UPDATE audit_head SET seq = v_seq, hash = v_prev, moved = greatest(moved, p_haste) WHERE stream = p_stream;
END $$;

CREATE FUNCTION audit_append(p_stream text, p_canon bytea, p_haste integer DEFAULT 1,
                             p_tenant text DEFAULT '', p_objects text[] DEFAULT NULL,
                             p_payload bytea DEFAULT NULL, p_salt bytea DEFAULT NULL) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT audit_append_all(p_stream, ARRAY[p_canon], p_haste, p_tenant, p_objects, ARRAY[p_payload], p_salt)
$$;

-- Forgets what the payloads of these chains can be read with, and which objects they are about. The chains stay whole.
CREATE FUNCTION audit_erase(p_streams text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_erased bigint;
BEGIN
    UPDATE audit_salt SET salt = NULL, erased_at = now() WHERE stream = ANY (p_streams) AND salt IS NOT NULL;
    GET DIAGNOSTICS v_erased = ROW_COUNT;
    DELETE FROM audit_object WHERE stream = ANY (p_streams);
    RETURN v_erased;
END $$;
