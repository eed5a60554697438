-- Review queues: whether somebody has paused them, what is on its way to them, and when they took no new work.

CREATE TABLE review_queue (
    tenant          text NOT NULL,
    name            text NOT NULL,
    paused_by       text,
    paused_at       timestamptz,
    pause_reason    text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, name),
    CHECK ((paused_by IS NULL) = (paused_at IS NULL))
);
COMMENT ON TABLE review_queue IS 'a tenant''s share of a queue; held by whoever looks for room in it. Terms are in policies';

CREATE TABLE queue_throttle (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant          text NOT NULL,
    queue           text NOT NULL,
    cause           text NOT NULL CHECK (cause IN ('capacity', 'age', 'pause')),
    since           timestamptz NOT NULL DEFAULT now(),
    until           timestamptz,
    refused         integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE queue_throttle IS 'periods in which a tenant''s queue took no new work, kept for 30 days';
COMMENT ON COLUMN queue_throttle.refused IS 'runs that callers were refused; schedules that waited are not counted';
CREATE UNIQUE INDEX queue_throttle_now ON queue_throttle (tenant, queue) WHERE until IS NULL;
CREATE INDEX queue_throttle_by_queue ON queue_throttle (tenant, queue, since);

CREATE VIEW review_load AS
SELECT tenant, workflow, NULL::text AS queue, case_id, NULL::timestamptz AS requested_at, NULL::timestamptz AS due_at
FROM run WHERE status IN ('pending', 'running') AND acts
UNION ALL
SELECT a.tenant, NULL, a.queue, r.case_id, a.requested_at, a.due_at
FROM approval a JOIN run r ON r.id = a.run_id WHERE a.status = 'pending';
COMMENT ON VIEW review_load IS 'what may still ask reviewers, by workflow, and what has asked them, by queue';

CREATE VIEW intake_stop AS
SELECT tenant, digest AS version, NULL::text AS queue, drained_by AS by, reason FROM version_drain
UNION ALL
SELECT tenant, NULL, name, paused_by, pause_reason FROM review_queue WHERE paused_by IS NOT NULL;
COMMENT ON VIEW intake_stop IS 'under which versions and for which queues an operator lets no new run start';
