-- What operators and metrics look at often, found without reading whole tables.

CREATE INDEX effect_unsettled ON effect (tool, state) WHERE state IN ('started', 'unknown') AND effect_class <> 'read';
CREATE INDEX question_open ON question (asked_at) WHERE status = 'open';
