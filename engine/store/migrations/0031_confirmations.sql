-- A question may ask the requester to confirm one frozen action: what counts then is which, and that they said yes.
ALTER TABLE question ADD COLUMN confirms uuid REFERENCES approval ON DELETE CASCADE, ADD COLUMN action_digest text;
CREATE INDEX question_confirms ON question (thread_id, action_digest) WHERE action_digest IS NOT NULL;
