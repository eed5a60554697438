-- What happens to a request as time passes, planned when it is asked. Those of an earlier release only expire.

ALTER TABLE approval
    ADD COLUMN warn_at       timestamptz,
    ADD COLUMN breach_at     timestamptz,
    ADD COLUMN levels        jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN level_at      timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN warned_at     timestamptz,
    ADD COLUMN breached_at   timestamptz,
    ADD COLUMN next_timer_at timestamptz;
COMMENT ON COLUMN approval.warn_at IS 'when reviewers are to be warned of it';
COMMENT ON COLUMN approval.due_at IS 'until when it is to be decided';
COMMENT ON COLUMN approval.breach_at IS 'when the agreement about its queue is broken';
COMMENT ON COLUMN approval.levels IS 'the steps of its queue''s escalation: to whom, with which role';
COMMENT ON COLUMN approval.level_at IS 'when it goes up to each of them';
COMMENT ON COLUMN approval.warned_at IS 'when reviewers were warned of it';
COMMENT ON COLUMN approval.breached_at IS 'when it was found that the agreement was broken';
COMMENT ON COLUMN approval.next_timer_at IS 'when a sweeper has to look at it; empty: when it expires';

-- Sweepers look across tenants for what is due, and that was what the older index was for.
DROP INDEX approval_pending;
CREATE INDEX approval_timer ON approval (coalesce(next_timer_at, expires_at), id) WHERE status = 'pending';
