-- Versions: which are drained, where runs stand, from which version a case was moved and which refused it.

CREATE TABLE version_drain (
    digest          text NOT NULL REFERENCES workflow_version,
    tenant          text NOT NULL,
    drained_by      text NOT NULL,
    reason          text NOT NULL,
    drained_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (digest, tenant)
);

ALTER TABLE run
    ADD COLUMN stands_at        text[] NOT NULL DEFAULT '{}',
    ADD COLUMN earlier_versions text[] NOT NULL DEFAULT '{}',
    ADD COLUMN refused_by       text;
COMMENT ON COLUMN run.stands_at IS 'stages that come next, kept when the run parks';
COMMENT ON COLUMN run.earlier_versions IS 'versions from which the case was moved: its approvals may bind one of them';
COMMENT ON COLUMN run.refused_by IS 'the version whose workers leave this pending run to others';
CREATE INDEX thread_interrupted ON thread (id) WHERE status = 'interrupted';

UPDATE run SET stands_at = waiting.stages
FROM (SELECT run_id, array_agg(DISTINCT stage) AS stages
      FROM (SELECT run_id, stage FROM approval WHERE status = 'pending'
            UNION ALL SELECT run_id, stage FROM question WHERE status = 'open') AS asked
      GROUP BY run_id) AS waiting
WHERE run.id = waiting.run_id;

CREATE VIEW standing_run AS
SELECT id, seq, thread_id, tenant, workflow, version, stands_at, refused_by, false AS parked
FROM run WHERE status IN ('pending', 'running')
UNION ALL
SELECT leg.id, leg.seq, leg.thread_id, leg.tenant, leg.workflow, leg.version, leg.stands_at, leg.refused_by, true
FROM thread CROSS JOIN LATERAL (SELECT * FROM run WHERE thread_id = thread.id ORDER BY seq DESC LIMIT 1) AS leg
WHERE thread.status = 'interrupted' AND thread.deleted_at IS NULL AND leg.status = 'interrupted' AND leg.outcome IS NULL;
COMMENT ON VIEW standing_run IS 'cases that are not over: their unfinished runs, and the last leg of those that wait';
