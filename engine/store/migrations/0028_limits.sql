-- Limits: what was used, what is under way, how often, what fails too often, and what is switched off.

CREATE TABLE limit_use (
    tenant          text NOT NULL,
    scope           text NOT NULL,
    period          text NOT NULL,
    unit            text NOT NULL,
    used            bigint NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, scope, period, unit)
);
COMMENT ON TABLE limit_use IS 'how much was used where a limit is set, what is under way included; held last of all locks';
COMMENT ON COLUMN limit_use.scope IS 'workflow:<name> or tool:<workflow>:<name>';
COMMENT ON COLUMN limit_use.period IS 'a day as YYYY-MM-DD, case:<id>, or now';

CREATE TABLE held_call (
    call_key        text PRIMARY KEY,
    tenant          text NOT NULL,
    run_id          uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    kind            text NOT NULL CHECK (kind IN ('tool', 'model')),
    stage           text NOT NULL,
    step            text NOT NULL,
    items           jsonb NOT NULL DEFAULT '[]',
    state           text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'spent', 'released')),
    opened_at       timestamptz NOT NULL DEFAULT now(),
    settled_at      timestamptz
);
COMMENT ON TABLE held_call IS 'what a call holds of its limits: of a tool, until its ledger row says what became of it';
CREATE INDEX held_call_open ON held_call (tenant) WHERE state = 'held';
CREATE INDEX held_call_of_models ON held_call (run_id, stage) WHERE kind = 'model';
CREATE INDEX held_call_by_run ON held_call (run_id);

CREATE UNLOGGED TABLE rate_limit (
    tenant          text NOT NULL,
    name            text NOT NULL,
    every_s         float8 NOT NULL,
    free_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant, name)
);
COMMENT ON TABLE rate_limit IS 'when each limited thing would be free again (GCRA); after a crash all are free';

CREATE TABLE breaker (
    tenant          text NOT NULL,
    name            text NOT NULL,
    state           text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
    failures        integer NOT NULL DEFAULT 1,
    failing_since   timestamptz NOT NULL DEFAULT now(),
    opened_at       timestamptz,
    open_until      timestamptz,
    PRIMARY KEY (tenant, name)
);
COMMENT ON TABLE breaker IS 'what failed last: no row, and all is well. half_open: one probe is under way until open_until';

CREATE TABLE kill_switch (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant          text NOT NULL,
    scope           text NOT NULL CHECK (scope IN ('tenant', 'workflow', 'run', 'tool')),
    name            text NOT NULL,
    reason          text NOT NULL,
    off_by          text NOT NULL,
    off_at          timestamptz NOT NULL DEFAULT now(),
    on_asked_by     text,
    on_asked_at     timestamptz,
    on_by           text,
    on_at           timestamptz,
    CHECK ((on_asked_by IS NULL) = (on_asked_at IS NULL)),
    CHECK ((on_by IS NULL) = (on_at IS NULL)),
    CHECK (on_by IS NULL OR (on_asked_by IS NOT NULL AND on_by <> on_asked_by))
);
COMMENT ON TABLE kill_switch IS 'what somebody has switched off; it is on again once two different people want it';
CREATE UNIQUE INDEX kill_switch_off ON kill_switch (tenant, scope, name) WHERE on_at IS NULL;

CREATE FUNCTION settle_call(p_call_key text, p_state text, p_actual jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    v_call  held_call%ROWTYPE;
BEGIN
    UPDATE held_call SET state = p_state, settled_at = CASE WHEN p_state <> 'held' THEN now() END
    WHERE call_key = p_call_key AND state <> p_state RETURNING * INTO v_call;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM 1 FROM limit_use u, jsonb_to_recordset(v_call.items) AS i(scope text, period text, unit text)
    WHERE u.tenant = v_call.tenant AND u.scope = i.scope AND u.period = i.period AND u.unit = i.unit
    ORDER BY u.scope, u.period, u.unit FOR UPDATE OF u;
    UPDATE limit_use u SET used = u.used + d.change, updated_at = now()
    FROM (
        SELECT i.scope, i.period, i.unit,
               coalesce((p_actual ->> i.unit)::bigint, i.now_n, i.n) - coalesce(i.now_n, i.n) AS change
        FROM jsonb_to_recordset(v_call.items) AS i(scope text, period text, unit text, n bigint, now_n bigint)
    ) AS d
    WHERE u.tenant = v_call.tenant AND u.scope = d.scope AND u.period = d.period AND u.unit = d.unit AND d.change <> 0;
    UPDATE held_call SET items = (
        SELECT coalesce(jsonb_agg(i.item || CASE WHEN p_actual ? (i.item ->> 'unit')
                                   THEN jsonb_build_object('now_n', p_actual -> (i.item ->> 'unit')) ELSE '{}' END), '[]')
        FROM jsonb_array_elements(v_call.items) AS i(item))
    WHERE call_key = p_call_key;
END $$;
COMMENT ON FUNCTION settle_call IS 'replaces what a call held by what it came to, by unit; units that are not named stay';

CREATE FUNCTION settle_effect() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    v_ms    bigint := greatest(0, extract(epoch FROM coalesce(NEW.finished_at, now()) - NEW.started_at) * 1000);
    v_sums  jsonb;
BEGIN
    CASE
        WHEN NEW.state IN ('done', 'resolved_done') THEN
            PERFORM settle_call(NEW.call_key, 'spent', jsonb_build_object('under_way', 0, 'ms', v_ms));
        WHEN NEW.state IN ('refused', 'resolved_not_done') THEN
            SELECT coalesce(jsonb_object_agg(i.unit, 0), '{}') INTO v_sums
            FROM held_call h, jsonb_to_recordset(h.items) AS i(unit text)
            WHERE h.call_key = NEW.call_key AND i.unit LIKE 'money:%';
            PERFORM settle_call(NEW.call_key, 'released', v_sums || jsonb_build_object('under_way', 0, 'ms', v_ms));
        WHEN NEW.state = 'started' THEN
            SELECT coalesce(jsonb_object_agg(i.unit, i.n), '{}') INTO v_sums
            FROM held_call h, jsonb_to_recordset(h.items) AS i(unit text, n bigint) WHERE h.call_key = NEW.call_key;
            PERFORM settle_call(NEW.call_key, 'held', v_sums);
        ELSE NULL;
    END CASE;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION settle_effect IS 'what a ledger row says counts, whoever wrote it: unknown stays held, refused gives money back';

-- At the end of the transaction: limits are locked behind everything else, the audit trail included.
CREATE CONSTRAINT TRIGGER settle_held_call AFTER UPDATE OF state ON effect DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION settle_effect();

CREATE OR REPLACE VIEW intake_stop AS
SELECT tenant, digest AS version, NULL::text AS queue, drained_by AS by, reason, NULL::text AS scope, NULL::text AS name
FROM version_drain
UNION ALL
SELECT tenant, NULL, name, paused_by, pause_reason, NULL, NULL FROM review_queue WHERE paused_by IS NOT NULL
UNION ALL
SELECT tenant, NULL, NULL, off_by, reason, scope, name FROM kill_switch
WHERE on_at IS NULL AND scope IN ('tenant', 'workflow');
COMMENT ON VIEW intake_stop IS 'under which versions, for which queues and of which workflows an operator lets no new run start';

CREATE VIEW tried_call AS
SELECT case_id, tool, state, count(*) AS calls, max(error ->> 'detail') AS said FROM effect GROUP BY case_id, tool, state;
COMMENT ON VIEW tried_call IS 'what a case has tried, for whoever takes it up';

CREATE VIEW held_now AS
SELECT h.tenant, i.scope, i.period, i.unit, sum(coalesce(i.now_n, i.n)) AS n
FROM held_call h JOIN run r ON r.id = h.run_id,
     jsonb_to_recordset(h.items) AS i(scope text, period text, unit text, n bigint, now_n bigint)
WHERE h.state = 'held' AND (h.kind = 'tool' OR r.status = 'running')
GROUP BY h.tenant, i.scope, i.period, i.unit;
COMMENT ON VIEW held_now IS 'what calls under way hold; a model call of a run that is over was made, and has used what it held';
