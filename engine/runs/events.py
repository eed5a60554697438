"""Stream events of a run: kept with numbers, so that any server can serve them, also after a reconnect."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from engine.runs.model import Run
from engine.runs.runs import get_run
from engine.store.database import Connection, Database, connection_options
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_POLL_S = 1.0


async def append_events(conn: Connection, run_id: str, first: int, events: list[tuple[str, Any]]) -> None:
    """Keep a batch numbered from `first` on and wake its readers. Repeating a batch adds nothing."""
    rows = [
        {"run_id": run_id, "seq": seq, "event": event, "data": Jsonb(data)}
        for seq, (event, data) in enumerate(events, start=first)
    ]
    async with conn.cursor() as cur:
        await cur.executemany(_SQL["insert_event"], rows)
        await cur.execute(_SQL["notify"], {"run_id": run_id})


async def last_event(conn: Connection, run_id: str) -> int:
    """The number of the last event kept, 0 if there is none."""
    row = await (await conn.execute(_SQL["last_event"], {"run_id": run_id})).fetchone()
    return int(row["seq"]) if row else 0


class Notices:
    """One listening connection a process; waiters are woken by run id and look for themselves once a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen(), name="run notices")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        while True:
            try:
                options = connection_options()
                async with await psycopg.AsyncConnection.connect(self._database.dsn, **options) as conn:
                    await conn.execute("LISTEN gatehouse_run")
                    async for notice in conn.notifies():
                        for event in self._waiting.get(notice.payload, ()):
                            event.set()
            except psycopg.OperationalError:
                # Waiters poll meanwhile; a database that comes back is listened to again.
                await asyncio.sleep(_POLL_S)

    @contextlib.contextmanager
    def _woken(self, run_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting[run_id].add(event)
        try:
            yield event
        finally:
            self._waiting[run_id].discard(event)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    async def wait_for_end(self, run_id: str, *, tenant: str) -> Run:
        """The run, once it has ended."""
        with self._woken(run_id) as event:
            while True:
                event.clear()
                async with self._database.transaction() as conn:
                    run = await get_run(conn, run_id, tenant=tenant)
                if run.ended:
                    return run
                await _pause(event)

    async def follow(self, run_id: str, *, tenant: str, after: int = 0) -> AsyncIterator[tuple[int, str, Any]]:
        """Events `(number, name, data)` after `after` until the run has ended and all were given."""
        with self._woken(run_id) as event:
            while True:
                event.clear()
                async with self._database.transaction() as conn:
                    run = await get_run(conn, run_id, tenant=tenant)
                    params = {"run_id": run_id, "seq": after}
                    rows = await (await conn.execute(_SQL["events_after"], params)).fetchall()
                for row in rows:
                    after = row["seq"]
                    yield after, row["event"], row["data"]
                if run.ended:
                    return
                await _pause(event)


async def _pause(event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), _POLL_S)
