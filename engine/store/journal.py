"""What a run has done and not yet written: kept in order and written together, before anybody outside can notice it.

A stage that only computes needs no commit of its own: were the worker killed, the same stages would compute the same.
So checkpoints wait here until something must stand before it goes on (a tool or model call, an interrupt, the run's
end), and at most `HOLD_S`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from contracts.errors import GatehouseError
from engine.store.database import Connection, Database
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
HOLD_S = 0.05

Note = Callable[[Connection], Awaitable[None]]
"""What else belongs in the transaction of what is held, as an audit record of it."""


@dataclass
class Page:
    """Rows of LangGraph's tables by column, and notes."""

    checkpoints: list[tuple[Any, ...]] = field(default_factory=list)
    """`(thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)`"""
    blobs: list[tuple[Any, ...]] = field(default_factory=list)
    """`(thread_id, checkpoint_ns, channel, version, type, blob)`"""
    writes: list[tuple[Any, ...]] = field(default_factory=list)
    """`(thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)`"""
    notes: list[Note] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.checkpoints or self.writes or self.notes)

    def add(self, later: "Page") -> None:
        """Take another page's content after this one's."""
        self.checkpoints += later.checkpoints
        self.blobs += later.blobs
        self.writes += later.writes
        self.notes += later.notes

    async def write(self, conn: Connection) -> None:
        """Expects a transaction. What is there already is left as it is, except interrupts, errors and answers."""
        if self.writes:
            await conn.execute(_SQL["insert_writes"], _columns(_one_of_each(self.writes)))
        if self.blobs:
            await conn.execute(_SQL["insert_blobs"], _columns(self.blobs))
        if self.checkpoints:
            rows = [(*row[:4], Jsonb(row[4]), Jsonb(row[5])) for row in self.checkpoints]
            await conn.execute(_SQL["insert_checkpoints"], _columns(rows))
        for note in self.notes:
            await note(conn)


class Journal:
    """One for each claimed run. Everything that a run writes of itself passes through here, behind its fence."""

    def __init__(self, database: Database, run_id: str, epoch: int, *, hold_s: float = HOLD_S) -> None:
        self._database = database
        self._fence = (run_id, epoch)
        self._hold_s = hold_s
        self._page = Page()
        self._lock = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._late: asyncio.Task[None] | None = None

    def hold(self, page: Page) -> None:
        """Keep what is to be written; it is at most `hold_s` until it is."""
        self._page.add(page)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._hold_s, self._write_late)

    def note(self, note: Note) -> None:
        """Have something done in the next transaction."""
        self.hold(Page(notes=[note]))

    @asynccontextmanager
    async def transaction(self, *, locks: Note | None = None) -> AsyncIterator[Connection]:
        """A transaction that begins with the fence and all that is held; `locks` comes before them.

        Raises `LeaseLost` when another worker holds the run; what is held then stays unwritten.
        """
        async with self._lock:
            page, self._page = self._page, Page()
            self._stop_timer()
            written = False

            def hear(committed: bool) -> None:
                nonlocal written
                written = committed

            try:
                async with self._database.transaction_after(self._opening(page, locks)) as conn:
                    self._database.after_commit(conn, hear)
                    yield conn
            finally:
                if not written:
                    page.add(self._page)
                    self._page = page

    def _opening(self, page: Page, locks: Note | None) -> Note:
        async def write(conn: Connection) -> None:
            if locks:
                await locks(conn)
            await conn.execute(_SQL["fence"], self._fence)
            await page.write(conn)

        return write

    async def flush(self) -> None:
        """Write what is held, if anything is."""
        if self._page or self._lock.locked():
            async with self.transaction():
                pass

    def discard(self) -> None:
        """Forget what is held: it cannot be written, or the run does not go on from it."""
        self._page = Page()
        self._stop_timer()

    def _write_late(self) -> None:
        self._timer = None
        self._late = asyncio.create_task(self._flush_late(), name="journal")

    async def _flush_late(self) -> None:
        try:
            await self.flush()
        except (psycopg.Error, GatehouseError):
            # It is still held: whoever needs it written tries again and hears why it cannot be.
            return

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _one_of_each(writes: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """A statement may meet each key once: the first write counts, of interrupts, errors and answers the last."""
    kept: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in writes:
        key = (*row[:4], row[5])
        if row[5] < 0 or key not in kept:
            kept[key] = row
    return list(kept.values())


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
