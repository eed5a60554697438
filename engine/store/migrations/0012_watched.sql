-- Threads whose stream somebody follows: what begins on them is streamed, although its caller does not ask for it.

ALTER TABLE thread ADD COLUMN watched_until timestamptz;
COMMENT ON COLUMN thread.watched_until IS 'until then somebody follows the stream of the thread';
