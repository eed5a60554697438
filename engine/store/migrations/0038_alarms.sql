-- Alarms are told by routes, too, and once: not again and again while what raised them goes on.

CREATE TABLE alarm (
    tenant          text NOT NULL,
    kind            text NOT NULL,
    name            text NOT NULL,
    raised_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, kind, name)
);
COMMENT ON TABLE alarm IS 'when each alarm that goes on was raised last; until an hour later it is not raised again';
SELECT keep_to_tenants('alarm');

ALTER TABLE webhook ALTER COLUMN run_id DROP NOT NULL, ALTER COLUMN thread_id DROP NOT NULL,
    ADD CHECK ((run_id IS NULL) = (thread_id IS NULL));
COMMENT ON COLUMN webhook.run_id IS 'null for an alarm, which is about no run';

ALTER TABLE model_use ADD COLUMN last_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX model_use_lately ON model_use (last_at);

-- What has ended lately is looked for over all tenants, too.
DROP INDEX run_ended;
CREATE INDEX run_ended ON run (finished_at, tenant) WHERE outcome IS NOT NULL;
