-- Agents and systems that start cases by what they send, and which of their messages were taken.

CREATE TABLE sender (
    id              text PRIMARY KEY,
    tenant          text NOT NULL,
    name            text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('agent', 'hook')),
    workflow        text NOT NULL,
    public_key      jsonb,
    sealed_secret   bytea,
    scopes          text[],
    created_at      timestamptz NOT NULL DEFAULT now(),
    revoked_at      timestamptz,
    UNIQUE (tenant, name),
    CHECK ((kind = 'agent') = (public_key IS NOT NULL) AND (kind = 'hook') = (sealed_secret IS NOT NULL))
);
COMMENT ON TABLE sender IS 'agents that sign messages and systems that sign events, each for one workflow';
COMMENT ON COLUMN sender.sealed_secret IS 'what a hook signs with, encrypted with the seal key';

CREATE TABLE received_message (
    sender_id       text NOT NULL REFERENCES sender,
    message_id      text NOT NULL,
    tenant          text NOT NULL,
    thread_id       uuid NOT NULL,
    received_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sender_id, message_id)
);
COMMENT ON TABLE received_message IS 'messages that were taken in the last 30 days: each starts one run';

CREATE OR REPLACE FUNCTION anybody_is_known() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS 'SELECT EXISTS (SELECT FROM api_key) OR EXISTS (SELECT FROM person) OR EXISTS (SELECT FROM sender)';
