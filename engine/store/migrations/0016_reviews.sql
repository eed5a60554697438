-- Reviews: who has to approve and has, who holds a request, why it was rejected.

ALTER TABLE approval
    ADD COLUMN quorum       jsonb,
    ADD COLUMN reason_code  text NOT NULL DEFAULT '',
    ADD COLUMN claimed_by   text,
    ADD COLUMN claimed_at   timestamptz,
    ADD COLUMN claimed_until timestamptz,
    ADD COLUMN assigned_to  text,
    ADD COLUMN assigned_by  text,
    ADD COLUMN level        smallint NOT NULL DEFAULT 0,
    ADD COLUMN escalated_to text[] NOT NULL DEFAULT '{}',
    ADD CHECK ((claimed_by IS NULL) = (claimed_at IS NULL)),
    ADD CHECK ((claimed_by IS NULL) = (claimed_until IS NULL));
UPDATE approval SET quorum = CASE WHEN role = '' THEN '{"roles": [], "needed": 0, "always": []}'::jsonb
    ELSE jsonb_build_object('roles', jsonb_build_array(role), 'needed', 1, 'always', '[]'::jsonb) END;
ALTER TABLE approval ALTER COLUMN quorum SET NOT NULL;
COMMENT ON COLUMN approval.role IS 'who is asked, as people read it';
COMMENT ON COLUMN approval.quorum IS 'roles (one seat each), needed, always: who has to approve';
COMMENT ON COLUMN approval.claimed_by IS 'who is looking at it: until claimed_until nobody else decides';
COMMENT ON COLUMN approval.assigned_to IS 'whom it was given to: nobody else decides until it is released or escalated';
COMMENT ON COLUMN approval.level IS 'how many steps of its queue''s escalation it has gone up';
COMMENT ON COLUMN approval.escalated_to IS 'roles that those steps have added: whoever holds one may sit in any seat';

CREATE TABLE approval_vote (
    request_id      uuid NOT NULL REFERENCES approval ON DELETE CASCADE,
    by              text NOT NULL,
    type            text NOT NULL CHECK (type IN ('approve', 'edit', 'reject', 'respond')),
    roles           text[] NOT NULL,
    action_digest   text NOT NULL,
    reason          text NOT NULL DEFAULT '',
    reason_code     text NOT NULL DEFAULT '',
    claimed_at      timestamptz,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request_id, by)
);
COMMENT ON TABLE approval_vote IS 'what each person said about a request; one who said anything says nothing more';
COMMENT ON COLUMN approval_vote.roles IS 'of those that the request asks for, what the person held then';
CREATE INDEX approval_vote_by ON approval_vote (by, at);

-- What is listed, most urgent first, without reading what has ended.
CREATE INDEX approval_open ON approval (tenant, due_at, id) WHERE status = 'pending';
