-- assistants: configured versions of a workflow that callers made; the system's own stand in no table

CREATE TABLE assistant (
    id              uuid PRIMARY KEY,
    tenant          text NOT NULL,
    version         integer NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN assistant.version IS 'the version that runs get';
CREATE INDEX assistant_by_tenant ON assistant (tenant, created_at DESC);

CREATE TABLE assistant_version (
    assistant_id    uuid NOT NULL REFERENCES assistant ON DELETE CASCADE,
    version         integer NOT NULL,
    workflow        text NOT NULL,
    name            text NOT NULL,
    description     text,
    config          jsonb NOT NULL DEFAULT '{}',
    context         jsonb NOT NULL DEFAULT '{}',
    metadata        jsonb NOT NULL DEFAULT '{}',
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (assistant_id, version)
);
