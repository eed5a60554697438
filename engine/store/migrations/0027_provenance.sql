-- Where values came from, beyond one case.

-- Values that were proposed for a sink and came from nowhere trusted: reading them back later does not make them so.
CREATE TABLE untrusted_value (
    tenant          text NOT NULL,
    mark            text NOT NULL,
    tool            text NOT NULL,
    thread_id       uuid NOT NULL,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, mark)
);

-- To whom a write went; whether it did is told by its row in the ledger.
CREATE TABLE effect_party (
    call_key        text NOT NULL REFERENCES effect ON DELETE CASCADE,
    tenant          text NOT NULL,
    tool            text NOT NULL,
    mark            text NOT NULL,
    PRIMARY KEY (tenant, tool, mark, call_key)
);
CREATE INDEX effect_party_by_call ON effect_party (call_key);
