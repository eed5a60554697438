-- What makes a workflow conspicuous: refusals that come in numbers, and tools that it has never used.

CREATE TABLE refusal_count (
    tenant          text NOT NULL,
    workflow        text NOT NULL,
    since           timestamptz NOT NULL,
    refused         integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, workflow, since)
);
COMMENT ON TABLE refusal_count IS 'calls that were refused, by ten minutes; a day of it says what is usual';

CREATE TABLE known_use (
    tenant          text NOT NULL,
    workflow        text NOT NULL,
    stage           text NOT NULL,
    tool            text NOT NULL,
    first_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, workflow, stage, tool)
);
COMMENT ON TABLE known_use IS 'which stage has ever called which tool';
