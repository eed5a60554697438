-- The autonomy ladder: in which mode a workflow works for a tenant, and higher ones that wait for a second person.

CREATE TABLE workflow_mode (
    tenant    text NOT NULL,
    workflow  text NOT NULL,
    mode      text NOT NULL CHECK (mode IN ('shadow', 'read_only', 'approve_all', 'thresholds', 'auto')),
    reason    text NOT NULL,
    set_by    text NOT NULL,
    set_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, workflow)
);
COMMENT ON TABLE workflow_mode IS 'how much a workflow does by itself; without a row: thresholds';

CREATE TABLE mode_wish (
    id          uuid PRIMARY KEY,
    tenant      text NOT NULL,
    workflow    text NOT NULL,
    mode        text NOT NULL CHECK (mode IN ('shadow', 'read_only', 'approve_all', 'thresholds', 'auto')),
    reason      text NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected', 'withdrawn')),
    asked_by    text NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    decided_by  text,
    decided_at  timestamptz,
    CHECK ((state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)),
    CHECK (state <> 'approved' OR decided_by <> asked_by)
);
COMMENT ON TABLE mode_wish IS 'higher modes that somebody asked for, and what a second person said';
CREATE UNIQUE INDEX mode_wish_open ON mode_wish (tenant, workflow) WHERE state = 'open';

ALTER TABLE approval ADD COLUMN host jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN approval.host IS 'what the engine itself knew when policy judged: mode, evidence of earlier calls, taints, sums spent';
