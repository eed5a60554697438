"""Threads and events whose time is over: found for retention, which decides whether they may go."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

Page = tuple[datetime, str]
"""The thread after which a page of them begins: when it last changed, and its id."""


@dataclass(frozen=True)
class Aged:
    """A thread that nobody has used for a while."""

    id: str
    tenant: str
    changed_at: datetime
    strategy: Literal["delete", "keep_latest"] | None
    """What its caller wants of it at its end, if that has come."""

    @classmethod
    def of(cls, row: DictRow) -> "Aged":
        return cls(str(row["id"]), row["tenant"], row["updated_at"], row["strategy"])

    @property
    def page(self) -> Page:
        return self.changed_at, self.id


async def ended_threads(conn: Connection, *, ephemeral_s: float, after: Page | None, limit: int) -> list[Aged]:
    """Threads at their end, and those made for one run that was over `ephemeral_s` ago; oldest first."""
    params = _page(after) | {"ephemeral": timedelta(seconds=ephemeral_s), "limit": limit}
    return [Aged.of(row) for row in await (await conn.execute(_SQL["ended_threads"], params)).fetchall()]


async def resting_threads(conn: Connection, *, idle_s: float, after: Page | None, limit: int) -> list[Aged]:
    """Threads that have not changed for `idle_s` and were not looked at since; oldest first."""
    params = _page(after) | {"idle": timedelta(seconds=idle_s), "limit": limit}
    return [Aged.of(row) for row in await (await conn.execute(_SQL["resting_threads"], params)).fetchall()]


async def take_unchanged(conn: Connection, thread: Aged) -> bool:
    """Hold the thread until the transaction ends; False if it has changed or somebody works on it."""
    params = {"id": thread.id, "updated_at": thread.changed_at}
    return await (await conn.execute(_SQL["take_unchanged"], params)).fetchone() is not None


async def note_pruned(conn: Connection, thread_id: str, *, ends: bool) -> None:
    """The thread was looked at; with `ends`, its time was over and what should be left of it is left."""
    await conn.execute(_SQL["note_pruned"], {"id": thread_id, "ends": ends})


async def forget_events(conn: Connection, *, older_s: float, limit: int) -> int:
    """Delete stream events of runs that ended so long ago, at most `limit`; returns how many."""
    params = {"older": timedelta(seconds=older_s), "limit": limit}
    return (await conn.execute(_SQL["forget_events"], params)).rowcount


async def count_old_events(conn: Connection, *, older_s: float) -> int:
    """How many events `forget_events` would delete."""
    params = {"older": timedelta(seconds=older_s)}
    row = await (await conn.execute(_SQL["old_events"], params)).fetchone()
    return int(row["events"]) if row else 0


def _page(after: Page | None) -> dict[str, object]:
    changed_at, thread_id = after or (None, None)
    return {"after_at": changed_at, "after_id": thread_id}
