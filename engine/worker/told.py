"""Tells those who follow a thread what it waits for, where the run that asked was streamed to nobody."""

from collections.abc import Iterator
from dataclasses import dataclass

from langgraph.types import StateSnapshot
from psycopg.rows import DictRow

from engine.runs.events import Named, append_events, is_untold
from engine.runs.pins import parked_leg
from engine.runs.runs import tell_end
from engine.runs.threads import get_thread
from engine.store.database import Connection, Database
from engine.worker.state import StateReader
from engine.worker.wire import encode


@dataclass(frozen=True)
class LateTeller:
    """What it tells is kept as the run would have kept it, so that every reader gets the same numbers."""

    database: Database
    states: StateReader

    async def tell_what_waits(self, thread: DictRow) -> None:
        """Keep, once, where the thread parked and what it asked; nothing if that is known or nobody is waited for."""
        if thread["status"] != "interrupted":
            return
        async with self.database.reading() as conn:
            leg = await parked_leg(conn, str(thread["id"]))
            if leg is None or not await is_untold(conn, leg):
                return
        async with self.database.transaction() as conn:
            await self._tell(conn, thread)

    async def _tell(self, conn: Connection, thread: DictRow) -> None:
        await get_thread(conn, str(thread["id"]), tenant=thread["tenant"], lock=True)
        leg = await parked_leg(conn, str(thread["id"]))
        if leg is None or not await is_untold(conn, leg):
            return
        snapshot = await self.states.latest(thread, subgraphs=True)
        if snapshot:
            await append_events(conn, leg, list(_values(snapshot, "values")))
            await tell_end(conn, leg)


def _values(snapshot: StateSnapshot, name: str) -> Iterator[Named]:
    """Where it stands and what is asked there; a graph within comes first, as in a stream."""
    for task in snapshot.tasks:
        if isinstance(task.state, StateSnapshot):
            yield from _values(task.state, f"{name}|{task.name}:{task.id}")
    yield name, encode({**snapshot.values, "__interrupt__": snapshot.interrupts})
