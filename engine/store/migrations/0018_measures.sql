-- Measures: what was asked, decided and said since some time is found without reading what came before.

CREATE INDEX approval_asked ON approval (tenant, requested_at) WHERE requested_at IS NOT NULL;
CREATE INDEX approval_ended ON approval (tenant, decided_at) WHERE requested_at IS NOT NULL;
CREATE INDEX approval_vote_at ON approval_vote (at);
