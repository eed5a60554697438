-- People known by tokens of identity providers, and limits of what calls in somebody's name may use.

CREATE TABLE person (
    tenant          text NOT NULL,
    name            text NOT NULL,
    roles           text[] NOT NULL,
    approver_roles  text[] NOT NULL DEFAULT '{}',
    scopes          text[],
    rights_at       timestamptz NOT NULL,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    seen_at         timestamptz NOT NULL DEFAULT now(),
    blocked_at      timestamptz,
    blocked_by      text,
    PRIMARY KEY (tenant, name),
    CHECK ((blocked_at IS NULL) = (blocked_by IS NULL))
);
COMMENT ON TABLE person IS 'people and services that signed in by a token: what the newest one said of them';
COMMENT ON COLUMN person.rights_at IS 'when the newest token was issued';
COMMENT ON COLUMN person.scopes IS 'scopes of tools that calls in this name may use; null: no limit';

ALTER TABLE api_key ADD COLUMN scopes text[];
COMMENT ON COLUMN api_key.scopes IS 'scopes of tools that calls in this name may use; null: no limit';
