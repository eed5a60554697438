-- What cases took: at each stage, of models, and how they ended. Names of stages and numbers, nothing of the case itself.

CREATE TABLE stage_use (
    tenant          text NOT NULL,
    case_id         uuid NOT NULL,
    stage           text NOT NULL,
    visits          integer NOT NULL,
    failed          integer NOT NULL,
    us              bigint NOT NULL,
    led             text[] NOT NULL,
    PRIMARY KEY (case_id, stage)
);
COMMENT ON TABLE stage_use IS 'what each stage of a case took over all its runs; kept as long as the runs are';
COMMENT ON COLUMN stage_use.us IS 'microseconds at work, attempts included that ended in a wait';
COMMENT ON COLUMN stage_use.led IS 'which ways were taken behind it, in order; several at once are joined by a plus sign';

CREATE TABLE model_use (
    tenant          text NOT NULL,
    case_id         uuid NOT NULL,
    stage           text NOT NULL,
    route           text NOT NULL,
    currency        text NOT NULL,
    calls           integer NOT NULL,
    failed          integer NOT NULL,
    tokens_read     bigint NOT NULL,
    tokens_written  bigint NOT NULL,
    ms              bigint NOT NULL,
    cost            bigint NOT NULL,
    PRIMARY KEY (case_id, stage, route, currency)
);
COMMENT ON TABLE model_use IS 'attempts at live models by case, stage and route; kept as long as the runs are';
COMMENT ON COLUMN model_use.currency IS 'empty where the route names no price';
COMMENT ON COLUMN model_use.cost IS 'in millionths of a unit of the currency';

SELECT keep_to_tenants('stage_use'), keep_to_tenants('model_use');

CREATE INDEX run_ended ON run (tenant, finished_at) WHERE outcome IS NOT NULL;

CREATE VIEW ended_case AS
SELECT leg.case_id, leg.tenant, leg.workflow, leg.version, leg.outcome, first.created_at AS opened_at,
       leg.finished_at AS ended_at, leg.error ->> 'error' AS error
FROM run leg JOIN run first ON first.id = leg.case_id
WHERE leg.outcome IS NOT NULL AND leg.acts AND leg.deleted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM run later WHERE later.case_id = leg.case_id AND later.seq > leg.seq AND moved(later));
COMMENT ON VIEW ended_case IS 'cases that have ended, under the version of their last run; none whose state was edited from outside';
