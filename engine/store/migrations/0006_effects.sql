-- Every class of effect, outcomes that a person resolves, and what the systems of ours keep.

ALTER TABLE effect
    ADD COLUMN tenant       text,
    ADD COLUMN workflow     text,
    ADD COLUMN opened_at    timestamptz,
    ADD COLUMN due_at       timestamptz,
    ADD COLUMN interrupt_id text,
    ADD COLUMN resolution   text CHECK (resolution IN ('happened', 'did_not_happen', 'abort')),
    ADD COLUMN resolved_by  text,
    ADD COLUMN resolved_at  timestamptz,
    ADD COLUMN note         text NOT NULL DEFAULT '',
    DROP CONSTRAINT effect_effect_class_check,
    ADD CONSTRAINT effect_effect_class_check CHECK (effect_class IN
        ('read', 'transactional', 'outbox', 'idempotent', 'queryable', 'at_most_once'));
UPDATE effect e SET tenant = r.tenant, workflow = r.workflow, opened_at = e.started_at FROM run r WHERE r.id = e.run_id;
ALTER TABLE effect
    ALTER COLUMN tenant SET NOT NULL,
    ALTER COLUMN workflow SET NOT NULL,
    ALTER COLUMN opened_at SET NOT NULL,
    ALTER COLUMN opened_at SET DEFAULT now(),
    ADD CHECK (resolution IS NULL OR (resolved_by IS NOT NULL AND resolved_at IS NOT NULL));
COMMENT ON COLUMN effect.opened_at IS 'start of the first attempt; started_at is that of the present one';
COMMENT ON COLUMN effect.due_at IS 'an outbox call that is not delivered: when it is sent next';
COMMENT ON COLUMN effect.interrupt_id IS 'the interrupt at which the case waits for a person to find out';
CREATE INDEX effect_of_people ON effect (tenant, opened_at) WHERE state = 'unknown';
CREATE INDEX effect_due ON effect (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX effect_by_thread ON effect (thread_id);

CREATE TABLE tool_record (
    tenant          text NOT NULL,
    system          text NOT NULL,
    kind            text NOT NULL,
    key             text NOT NULL,
    version         integer NOT NULL DEFAULT 1,
    value           jsonb NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, system, kind, key)
);
COMMENT ON TABLE tool_record IS 'what systems of ours keep: changed by transactional tools, with their ledger row';
