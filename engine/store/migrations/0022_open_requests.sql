-- Pages of open requests, and how many there are, are found in the index alone.

DROP INDEX approval_open;
CREATE INDEX approval_open ON approval (tenant, due_at, id) INCLUDE (requested_at) WHERE status = 'pending';
