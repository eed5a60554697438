-- The tables of every room, the audit chain and the fence. Forward only: later changes are new files.

-- access -----------------------------------------------------------------------------------------------------------
CREATE TABLE api_key (
    id              text PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    secret_sha256   bytea NOT NULL,
    roles           text[] NOT NULL,
    approver_roles  text[] NOT NULL DEFAULT '{}',
    tenant          text NOT NULL DEFAULT 'default',
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz,
    revoked_at      timestamptz
);

-- catalog ----------------------------------------------------------------------------------------------------------
CREATE TABLE workflow_version (
    digest          text PRIMARY KEY,
    workflow        text NOT NULL,
    manifest        jsonb NOT NULL,
    first_seen_at   timestamptz NOT NULL DEFAULT now()
);

-- runs -------------------------------------------------------------------------------------------------------------
CREATE TABLE thread (
    id              uuid PRIMARY KEY,
    tenant          text NOT NULL DEFAULT 'default',
    workflow        text,
    status          text NOT NULL DEFAULT 'idle' CHECK (status IN ('idle', 'busy', 'interrupted', 'error')),
    metadata        jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE run (
    id              uuid PRIMARY KEY,
    seq             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    thread_id       uuid NOT NULL REFERENCES thread ON DELETE CASCADE,
    case_id         uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    tenant          text NOT NULL,
    workflow        text NOT NULL,
    version         text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('input', 'resume')),
    status          text NOT NULL DEFAULT 'pending'
                    CHECK (status IN ('pending', 'running', 'error', 'success', 'timeout', 'interrupted')),
    outcome         text CHECK (outcome IN
                    ('completed', 'rejected', 'handed_off', 'failed_safe', 'cancelled', 'expired')),
    input           jsonb,
    stream_modes    text[] NOT NULL DEFAULT '{}',
    requester       text NOT NULL,
    actor           text NOT NULL,
    metadata        jsonb NOT NULL DEFAULT '{}',
    multitask_strategy text NOT NULL DEFAULT 'enqueue',
    error           jsonb,
    model_calls     integer NOT NULL DEFAULT 0,
    attempts        integer NOT NULL DEFAULT 0,
    epoch           integer NOT NULL DEFAULT 0,
    lease_owner     text,
    lease_until     timestamptz,
    cancel_requested_by text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz
);
CREATE UNIQUE INDEX run_one_running_per_thread ON run (thread_id) WHERE status = 'running';
CREATE INDEX run_active ON run (thread_id, seq) WHERE status IN ('pending', 'running');
CREATE INDEX run_by_thread ON run (thread_id, seq);
CREATE INDEX run_by_case ON run (case_id);

CREATE TABLE run_event (
    run_id          uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    seq             integer NOT NULL,
    event           text NOT NULL,
    data            jsonb NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- approvals --------------------------------------------------------------------------------------------------------
CREATE TABLE approval (
    id              uuid PRIMARY KEY,
    freeze_key      text NOT NULL UNIQUE,
    tenant          text NOT NULL,
    thread_id       uuid NOT NULL REFERENCES thread ON DELETE CASCADE,
    run_id          uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    workflow        text NOT NULL,
    version         text NOT NULL,
    requester       text NOT NULL,
    queue           text NOT NULL,
    tool            text NOT NULL,
    tool_version    text NOT NULL,
    args            jsonb NOT NULL,
    facts           jsonb NOT NULL,
    action_digest   text NOT NULL,
    verdict         text NOT NULL CHECK (verdict IN ('allow', 'deny', 'require_approval')),
    rule            text NOT NULL,
    why             text NOT NULL,
    role            text NOT NULL DEFAULT '',
    policy_version  text NOT NULL,
    card            jsonb NOT NULL,
    status          text NOT NULL CHECK (status IN
                    ('frozen', 'pending', 'approved', 'edited', 'rejected', 'responded', 'expired', 'denied',
                     'superseded', 'cancelled')),
    stage           text,
    interrupt_id    text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    requested_at    timestamptz,
    due_at          timestamptz,
    expires_at      timestamptz,
    decided_at      timestamptz,
    decided_by      text,
    reason          text NOT NULL DEFAULT '',
    message         text NOT NULL DEFAULT '',
    replaced_by     uuid REFERENCES approval,
    UNIQUE (thread_id, interrupt_id)
);
CREATE INDEX approval_by_thread ON approval (thread_id, created_at);
CREATE INDEX approval_pending ON approval (tenant, expires_at) WHERE status = 'pending';

CREATE TABLE question (
    id              uuid PRIMARY KEY,
    tenant          text NOT NULL,
    thread_id       uuid NOT NULL REFERENCES thread ON DELETE CASCADE,
    run_id          uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    workflow        text NOT NULL,
    stage           text NOT NULL,
    interrupt_id    text NOT NULL,
    question        text NOT NULL,
    status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'answered', 'cancelled')),
    answer          text,
    answered_by     text,
    asked_at        timestamptz NOT NULL DEFAULT now(),
    answered_at     timestamptz,
    UNIQUE (thread_id, interrupt_id)
);

-- gateway: the ledger ----------------------------------------------------------------------------------------------
CREATE TABLE effect (
    call_key        text PRIMARY KEY,
    thread_id       uuid NOT NULL REFERENCES thread ON DELETE CASCADE,
    case_id         uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    run_id          uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    stage           text NOT NULL,
    tool            text NOT NULL,
    tool_version    text NOT NULL,
    effect_class    text NOT NULL CHECK (effect_class IN ('read', 'idempotent', 'at_most_once')),
    args            jsonb NOT NULL,
    args_hash       text NOT NULL,
    action_digest   text,
    approval_id     uuid UNIQUE REFERENCES approval,
    idempotency_key text NOT NULL,
    state           text NOT NULL CHECK (state IN
                    ('started', 'done', 'refused', 'unknown', 'resolved_done', 'resolved_not_done')),
    attempt         integer NOT NULL DEFAULT 1,
    attempt_epoch   integer NOT NULL,
    result          jsonb,
    error           jsonb,
    started_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    CHECK (effect_class = 'read' OR (approval_id IS NOT NULL AND action_digest IS NOT NULL))
);
CREATE INDEX effect_by_case ON effect (case_id);

-- audit: a hash chain per case --------------------------------------------------------------------------------------
CREATE TABLE audit_record (
    stream          text NOT NULL,
    seq             bigint NOT NULL,
    prev            bytea NOT NULL,
    hash            bytea NOT NULL,
    canon           bytea NOT NULL,
    PRIMARY KEY (stream, seq)
);

CREATE TABLE audit_head (
    stream          text PRIMARY KEY,
    seq             bigint NOT NULL,
    hash            bytea NOT NULL
);

CREATE FUNCTION audit_append(p_stream text, p_canon bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    v_seq  bigint;
    v_prev bytea;
    v_hash bytea;
BEGIN
    INSERT INTO audit_head VALUES (p_stream, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
    SELECT seq + 1, hash INTO v_seq, v_prev FROM audit_head WHERE stream = p_stream FOR UPDATE;
    v_hash := sha256('\x00'::bytea || convert_to(p_stream, 'UTF8') || '\x00'::bytea || int8send(v_seq)
                     || v_prev || p_canon);
    INSERT INTO audit_record VALUES (p_stream, v_seq, v_prev, v_hash, p_canon);
    UPDATE audit_head SET seq = v_seq, hash = v_hash WHERE stream = p_stream;
    RETURN v_seq;
END $$;

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'GH002';
END $$;
CREATE TRIGGER audit_record_no_change BEFORE UPDATE OR DELETE ON audit_record
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_record_no_truncate BEFORE TRUNCATE ON audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- the fence: only the worker that holds the current epoch of a run may write for it --------------------------------
CREATE FUNCTION fence(p_run uuid, p_epoch integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM run WHERE id = p_run AND epoch = p_epoch AND status = 'running' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run % is no longer held at epoch %', p_run, p_epoch USING ERRCODE = 'GH001';
    END IF;
END $$;
