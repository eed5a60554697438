-- schedules: runs that start by themselves

CREATE TABLE schedule (
    id              uuid PRIMARY KEY,
    tenant          text NOT NULL,
    requester       text NOT NULL,
    cron            text NOT NULL,
    timezone        text,
    assistant_id    uuid NOT NULL,
    thread_id       uuid REFERENCES thread ON DELETE CASCADE,
    on_run_completed text CHECK (on_run_completed IN ('delete', 'keep')),
    enabled         boolean NOT NULL,
    end_at          timestamptz,
    payload         jsonb NOT NULL,
    metadata        jsonb NOT NULL DEFAULT '{}',
    next_run_at     timestamptz,
    last_run_at     timestamptz,
    last_run_id     uuid,
    last_error      jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN schedule.requester IS 'who said last what its runs do: they are this principal''s';
COMMENT ON COLUMN schedule.next_run_at IS 'null: never again, or not while it is disabled';
COMMENT ON COLUMN schedule.last_error IS 'why no run came of the last time';
CREATE INDEX schedule_due ON schedule (next_run_at) WHERE next_run_at IS NOT NULL;
CREATE INDEX schedule_by_tenant ON schedule (tenant, created_at DESC);
