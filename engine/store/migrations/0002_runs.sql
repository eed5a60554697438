-- What a caller may ask of a run; runs that start later, wait behind others or were removed; threads with an end.

ALTER TABLE thread
    ADD COLUMN edited_by    text,
    ADD COLUMN ephemeral    boolean NOT NULL DEFAULT false,
    ADD COLUMN ttl_minutes  double precision CHECK (ttl_minutes > 0),
    ADD COLUMN on_expiry    text CHECK (on_expiry IN ('delete', 'keep_latest')),
    ADD COLUMN expires_at   timestamptz,
    ADD COLUMN deleted_at   timestamptz;
COMMENT ON COLUMN thread.edited_by IS 'who first edited, replayed or copied its state from outside: its runs do not act any more';
COMMENT ON COLUMN thread.ephemeral IS 'made for one run without a thread: not listed, deleted by retention';
COMMENT ON COLUMN thread.deleted_at IS 'its state is gone; runs, ledger and audit trail stay';
CREATE INDEX thread_listed ON thread (tenant, updated_at DESC) WHERE deleted_at IS NULL AND NOT ephemeral;
CREATE INDEX thread_by_metadata ON thread USING gin (metadata jsonb_path_ops);
CREATE INDEX thread_expiring ON thread (expires_at) WHERE expires_at IS NOT NULL AND deleted_at IS NULL;

ALTER TABLE run
    ADD COLUMN assistant_id uuid,
    ADD COLUMN options      jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN acts         boolean NOT NULL DEFAULT true,
    ADD COLUMN webhook      text,
    ADD COLUMN priority     smallint NOT NULL DEFAULT 0,
    ADD COLUMN start_at     timestamptz,
    ADD COLUMN cancel_action text CHECK (cancel_action IN ('interrupt', 'rollback')),
    ADD COLUMN deleted_at   timestamptz,
    DROP CONSTRAINT run_kind_check,
    ADD CONSTRAINT run_kind_check CHECK (kind IN ('input', 'resume', 'proceed'));
COMMENT ON COLUMN run.options IS 'config, context, interrupts, checkpoint: see engine.runs.model.RunOptions';
COMMENT ON COLUMN run.acts IS 'false: its thread was edited from outside, so every write is refused';
COMMENT ON COLUMN run.start_at IS 'not before this time; null: at once';
COMMENT ON COLUMN run.deleted_at IS 'removed or rolled back: not shown any more, its audit records and effects stay';
CREATE INDEX run_waiting ON run (seq) WHERE status IN ('pending', 'running');
CREATE INDEX run_by_tenant ON run (tenant, seq DESC) WHERE deleted_at IS NULL;
