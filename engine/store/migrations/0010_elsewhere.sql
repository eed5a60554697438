-- Threads whose runs another LangGraph server carries: the gateway holds there, too.

ALTER TABLE thread ADD COLUMN carried_by text;
COMMENT ON COLUMN thread.carried_by IS 'the server that carries its runs and keeps its state; null: our workers';
