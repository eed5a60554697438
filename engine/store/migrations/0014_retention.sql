-- What retention looks for, found without reading whole tables.

ALTER TABLE thread ADD COLUMN pruned_at timestamptz;
COMMENT ON COLUMN thread.pruned_at IS 'when retention last looked at its history; it looks again when the thread has changed';
CREATE INDEX thread_to_prune ON thread (updated_at, id)
    WHERE deleted_at IS NULL AND (pruned_at IS NULL OR pruned_at < updated_at);
CREATE INDEX thread_left_over ON thread (updated_at, id) WHERE ephemeral AND deleted_at IS NULL;
-- Events come in the order of their time, so that this costs next to nothing to keep.
CREATE INDEX run_event_at ON run_event USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
