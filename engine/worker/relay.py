"""Passes what a graph streams on to readers: kept as numbered events, whoever reads them."""

from typing import Any

from langgraph.types import Interrupt

from engine.runs import events
from engine.runs.model import Run
from engine.store.database import Database


class Relay:
    """Passes what the graph streams on to readers, if the caller asked for any of it."""

    def __init__(self, database: Database, run: Run) -> None:
        self._database = database
        self._run = run

    async def follow(self, stream: Any) -> None:
        wanted = set(self._run.stream_modes)
        async with self._database.transaction() as conn:
            number = await events.last_event(conn, self._run.id) if wanted else 0
        async for mode, chunk in stream:
            if mode in wanted:
                async with self._database.transaction() as conn:
                    await conn.execute("SELECT fence(%s, %s)", (self._run.id, self._run.epoch))
                    await events.append_events(conn, self._run.id, number + 1, [(mode, as_json(chunk))])
                number += 1


def as_json(chunk: Any) -> Any:
    """A streamed chunk with its interrupts as JSON objects."""
    if isinstance(chunk, dict):
        return {key: as_json(value) for key, value in chunk.items()}
    if isinstance(chunk, (list, tuple)):
        return [as_json(value) for value in chunk]
    if isinstance(chunk, Interrupt):
        return {"value": chunk.value, "id": chunk.id}
    return chunk
