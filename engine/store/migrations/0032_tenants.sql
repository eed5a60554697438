-- Row-level security: each row is its tenant's, and whose a transaction works for is a setting of the transaction.
-- The application is the role gatehouse_app, which owns nothing; engine/store/roles.py makes it before this runs.

CREATE FUNCTION keep_to_tenants(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', p_table);
    EXECUTE format('DROP POLICY IF EXISTS tenant ON %s', p_table);
    EXECUTE format('CREATE POLICY tenant ON %s USING (tenant = current_setting(''gatehouse.tenant'', true) '
                   'OR current_setting(''gatehouse.across'', true) = ''on'')', p_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO gatehouse_app', p_table);
END $$;
COMMENT ON FUNCTION keep_to_tenants IS
    'a table with a column "tenant" shows and takes rows of the transaction''s tenant only; call it for each new one';

-- Rows of most installations are one tenant's: they get theirs as a default, which rewrites nothing, however many.
CREATE FUNCTION add_tenant(p_table regclass, p_key text, p_owners text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_most text;
BEGIN
    EXECUTE format('SELECT tenant FROM (%s) AS o WHERE tenant IS NOT NULL GROUP BY tenant ORDER BY count(*) DESC, 1 LIMIT 1',
                   p_owners) INTO v_most;
    v_most := coalesce(v_most, 'default');
    EXECUTE format('ALTER TABLE %s ADD COLUMN tenant text NOT NULL DEFAULT %L', p_table, v_most);
    EXECUTE format('UPDATE %s AS t SET tenant = o.tenant FROM (SELECT key, tenant FROM (%s) AS o WHERE tenant <> %L) AS o '
                   'WHERE o.key = %s', p_table, p_owners, v_most, p_key);
    EXECUTE format('ALTER TABLE %s ALTER COLUMN tenant SET DEFAULT nullif(current_setting(''gatehouse.tenant'', true), '''')',
                   p_table);
    PERFORM keep_to_tenants(p_table);
END $$;
COMMENT ON FUNCTION add_tenant IS
    'gives a table that has none a tenant: of the row t, that of the owner whose key is p_key; new rows are the transaction''s';

-- Called after every migration, whatever it made anew. LangGraph and procrastinate make their tables after ours.
CREATE FUNCTION bind_application() RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
    v_name text;
BEGIN
    -- A table that says whose its rows are is kept to tenants, whether or not its migration thought of it.
    FOR v_name IN SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
                  WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
                    AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid) LOOP
        PERFORM keep_to_tenants(v_name::regclass);
    END LOOP;
    FOREACH v_name IN ARRAY ARRAY['checkpoints', 'checkpoint_blobs', 'checkpoint_writes'] LOOP
        IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = v_name::regclass AND attname = 'tenant') THEN
            PERFORM add_tenant(v_name::regclass, 't.thread_id', 'SELECT id::text AS key, tenant FROM thread');
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'store'::regclass AND attname = 'tenant') THEN
        PERFORM add_tenant('store', 't.prefix', $$SELECT DISTINCT prefix AS key,
            replace(replace(split_part(prefix, '.', 1), '%2E', '.'), '%25', '%') AS tenant FROM store$$);
    END IF;
    FOR v_name IN SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relname LIKE 'procrastinate\_%' LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO gatehouse_app', v_name);
    END LOOP;
    FOR v_name IN SELECT oid::regclass FROM pg_class WHERE relkind = 'S' AND relname LIKE 'procrastinate\_%' LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO gatehouse_app', v_name);
    END LOOP;
    -- A view shows what who asks it may see, and not what its owner may.
    FOR v_name IN SELECT oid::regclass FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', v_name);
        EXECUTE format('GRANT SELECT ON %s TO gatehouse_app', v_name);
    END LOOP;
    -- Functions with the owner's rights work on chains, whoever's records stand in them.
    FOR v_name IN SELECT oid::regprocedure FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s SET gatehouse.across = ''on''', v_name);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', v_name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO gatehouse_app', v_name);
    END LOOP;
END $do$;
COMMENT ON FUNCTION bind_application IS
    'keeps tables to tenants and gives the application what it may do with them, views and functions; repeatable';
REVOKE EXECUTE ON FUNCTION keep_to_tenants(regclass), add_tenant(regclass, text, text), bind_application()
    FROM PUBLIC;

SELECT add_tenant('run_event', 't.run_id', 'SELECT id AS key, tenant FROM run'),
       add_tenant('assistant_version', 't.assistant_id', 'SELECT id AS key, tenant FROM assistant'),
       add_tenant('approval_vote', 't.request_id', 'SELECT id AS key, tenant FROM approval');

-- A chain is a case's, an assistant's, a key's; the chains of queues and versions carry several tenants' records, which
-- say whose they are.
ALTER TABLE audit_record DISABLE TRIGGER audit_record_no_change;
CREATE TEMPORARY TABLE chain_owner ON COMMIT DROP AS
SELECT 'case:' || id AS key, tenant FROM thread
UNION ALL SELECT 'key:' || id, tenant FROM api_key
UNION ALL SELECT 'person:' || tenant || ':' || name, tenant FROM person
UNION ALL SELECT 'cron:' || id, tenant FROM schedule
UNION ALL SELECT 'assistant:' || id, tenant FROM assistant
UNION ALL SELECT 'canary:' || id, tenant FROM canary
UNION ALL SELECT stream, replace(replace(split_part(substr(stream, 7), '.', 1), '%2E', '.'), '%25', '%')
          FROM audit_head WHERE stream LIKE 'store:%';
SELECT add_tenant('audit_head', 't.stream', 'SELECT key, tenant FROM chain_owner'),
       add_tenant('audit_record', 't.stream', 'SELECT key, tenant FROM chain_owner');
UPDATE audit_record SET tenant = coalesce(convert_from(canon, 'UTF8')::jsonb #>> '{data,tenant}', tenant)
WHERE stream LIKE 'queue:%' OR stream LIKE 'version:%';

-- Of nobody: what is recorded across tenants, such as who was not let in.
ALTER TABLE audit_record ALTER COLUMN tenant DROP NOT NULL;
ALTER TABLE audit_head ALTER COLUMN tenant DROP NOT NULL;
UPDATE audit_record SET tenant = NULL WHERE stream = 'access';
UPDATE audit_head SET tenant = NULL WHERE stream = 'access';
ALTER TABLE audit_record ENABLE TRIGGER audit_record_no_change;

-- Whether anybody ever had to say who they are is no tenant's secret, and decides whether one has to now.
CREATE FUNCTION anybody_is_known() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS 'SELECT EXISTS (SELECT FROM api_key) OR EXISTS (SELECT FROM person)';
CREATE FUNCTION any_live_key() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS 'SELECT EXISTS (SELECT FROM api_key WHERE revoked_at IS NULL)';

-- Chains are the owner's to extend; bind_application lets the application call the functions that do it.
SELECT keep_to_tenants('audit_salt'), keep_to_tenants('audit_object');
REVOKE INSERT, UPDATE, DELETE ON audit_record, audit_head, audit_salt, audit_object FROM gatehouse_app;

-- A leaf names a chain: it is shown to whom the chain's head is shown. Checkpoints are over all chains and name none.
ALTER TABLE audit_leaf ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_leaf USING (
    current_setting('gatehouse.across', true) = 'on'
    OR EXISTS (SELECT FROM audit_head h WHERE h.stream = audit_leaf.stream));
GRANT SELECT ON audit_leaf, audit_checkpoint TO gatehouse_app;

-- What is no tenant's: which workflows were loaded, and what the schema is.
GRANT SELECT, INSERT, UPDATE ON workflow_version TO gatehouse_app;
GRANT SELECT ON schema_migration, schema_library TO gatehouse_app;

-- Those who read for tools see the records of tools, and nothing else.
GRANT SELECT ON tool_record TO gatehouse_reader;
