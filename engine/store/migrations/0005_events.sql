-- Stream events: kept as the text that is sent, numbered over all runs, so that those of a thread have one order, too.

ALTER TABLE run_event
    ALTER COLUMN seq TYPE bigint,
    ALTER COLUMN data TYPE text USING data::text,
    ADD COLUMN at timestamptz NOT NULL DEFAULT now();
-- Runs used to count their events from 1; what they have keeps its numbers and what comes is numbered after it.
ALTER TABLE run_event ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (START WITH 1000000);
COMMENT ON COLUMN run_event.seq IS 'grows over all runs; in its order within a run and within a thread';
