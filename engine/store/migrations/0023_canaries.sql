-- Canaries: wrong copies of decided requests. A table of their own, so that no effect can ever consume one.

CREATE TABLE canary (
    id              uuid PRIMARY KEY,
    tenant          text NOT NULL,
    queue           text NOT NULL,
    workflow        text NOT NULL,
    copied_from     uuid NOT NULL UNIQUE REFERENCES approval ON DELETE CASCADE,
    changes         jsonb NOT NULL,
    wrong           text NOT NULL,
    asked_at        timestamptz NOT NULL DEFAULT now(),
    due_at          timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    claimed_by      text,
    claimed_at      timestamptz,
    claimed_until   timestamptz,
    decision        text CHECK (decision IN ('approve', 'edit', 'reject', 'respond')),
    decided_by      text,
    decided_at      timestamptz,
    CHECK ((decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decided_at IS NULL))
);
COMMENT ON TABLE canary IS 'requests that ought to be rejected, put to reviewers to see whether they are; nothing is behind them';
COMMENT ON COLUMN canary.changes IS 'columns of the request that it was copied from, in which it differs';
COMMENT ON COLUMN canary.wrong IS 'what a reviewer should have seen; told once they have decided';
CREATE INDEX canary_open ON canary (tenant, due_at, id) WHERE decision IS NULL;
CREATE INDEX canary_asked ON canary (tenant, queue, asked_at);
