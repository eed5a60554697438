-- The reasoning trace: what each stage of a case was told, what it answered and why it branched, sealed as audit
-- payloads are. What is long lies apart, once for a thread, found by its digest.

CREATE TABLE trace_page (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant          text NOT NULL,
    thread_id       uuid NOT NULL,
    case_id         uuid NOT NULL,
    run_id          uuid NOT NULL,
    risk            text NOT NULL CHECK (risk IN ('routine', 'medium', 'high')),
    written_at      timestamptz NOT NULL DEFAULT now(),
    payload         bytea NOT NULL
);
CREATE INDEX trace_page_by_case ON trace_page (case_id, number);
CREATE INDEX trace_page_by_thread ON trace_page (thread_id);
CREATE INDEX trace_page_routine ON trace_page (written_at) WHERE risk = 'routine';
COMMENT ON TABLE trace_page IS 'reasoning traces of cases, a row for each transaction that wrote of one: id of a salt, nonce, AES-GCM of zlib of JSON';

CREATE TABLE trace_blob (
    tenant          text NOT NULL,
    thread_id       uuid NOT NULL,
    digest          bytea NOT NULL,
    payload         bytea NOT NULL,
    PRIMARY KEY (thread_id, digest)
);
COMMENT ON TABLE trace_blob IS 'messages and values that traces refer to, by SHA-256 of their JSON, sealed';

SELECT keep_to_tenants('trace_page'), keep_to_tenants('trace_blob');

-- Keeps what something can be read with that is sealed for a chain and is no record of it.
CREATE FUNCTION audit_keep_salt(p_stream text, p_tenant text, p_salt bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_id bytea := substr(sha256(p_salt), 1, 16);
BEGIN
    IF EXISTS (SELECT FROM audit_salt WHERE id = v_id) THEN
        RETURN;
    END IF;
    -- The head first, as whoever appends does: two who keep the same salt would wait for each other otherwise.
    PERFORM FROM audit_head WHERE stream = p_stream FOR UPDATE;
    INSERT INTO audit_salt (id, stream, tenant, salt) VALUES (v_id, p_stream, p_tenant, p_salt) ON CONFLICT DO NOTHING;
END $$;

-- A trace goes with what it can be read with: when a case is erased, and when the records of it have ended.
CREATE FUNCTION trace_follows_salt() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.stream LIKE 'case:%' THEN
        DELETE FROM trace_page WHERE thread_id = substr(OLD.stream, 6)::uuid AND substr(payload, 1, 16) = OLD.id;
        DELETE FROM trace_blob WHERE thread_id = substr(OLD.stream, 6)::uuid AND substr(payload, 1, 16) = OLD.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER trace_follows_erasure AFTER UPDATE ON audit_salt
    FOR EACH ROW WHEN (OLD.salt IS NOT NULL AND NEW.salt IS NULL) EXECUTE FUNCTION trace_follows_salt();
CREATE TRIGGER trace_follows_pruning AFTER DELETE ON audit_salt
    FOR EACH ROW EXECUTE FUNCTION trace_follows_salt();
