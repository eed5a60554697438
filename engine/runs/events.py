"""Stream events of runs: kept as the text that is sent, numbered over all runs, so that any server can serve them."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import psycopg
from psycopg.rows import DictRow

from contracts.errors import NotFound, StoreUnavailable
from engine.runs.model import ENDED, Run
from engine.runs.runs import get_run
from engine.store.database import Connection, Database, connection_options
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_POLL_S = 1.0
_OUTAGE_S = 30.0
_PAGE_ROWS = 500
_PAGE_BYTES = 256 * 1024

Named = tuple[str, str]
"""What is streamed: an event's name, with its namespace as in `values|stage:id`, and its data as JSON text."""


@dataclass(frozen=True)
class StreamEvent:
    """An event as it is kept. Numbers grow over all runs; those of one run, and of one thread, in their order."""

    number: int
    name: str
    data: str

    @classmethod
    def of(cls, row: DictRow) -> Self:
        return cls(row["seq"], row["event"], row["data"])


async def append_events(conn: Connection, run: Run, events: Sequence[Named]) -> None:
    """Keep events after those the run has, and wake their readers when the transaction commits.

    One statement, and a transaction that begins with the run's fence: only its holder writes, one batch after another,
    so that numbers become visible in their order.
    """
    names, data = zip(*events, strict=True)
    params = {"run_id": run.id, "thread_id": run.thread_id, "names": list(names), "data": list(data)}
    await conn.execute(_SQL["insert_events"], params)


class Notices:
    """One listening connection a process; waiters are woken by id and look for themselves once a second."""

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
                        for key in notice.payload.split():
                            for event in self._waiting.get(key, ()):
                                event.set()
            except psycopg.OperationalError:
                # Waiters poll meanwhile; a database that comes back is listened to again.
                await asyncio.sleep(_POLL_S)

    @contextlib.contextmanager
    def woken(self, key: str) -> Iterator[asyncio.Event]:
        """An event that is set when something is told about a run or a thread, by its id.

        `cancel:<run id>` hears of wishes to cancel the run.
        """
        event = asyncio.Event()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def wait_for_end(self, run_id: str, *, tenant: str) -> Run:
        """The run, once it has ended."""
        with self.woken(run_id) as event:
            while True:
                event.clear()
                async with self._database.transaction() as conn:
                    run = await get_run(conn, run_id, tenant=tenant)
                if run.ended:
                    return run
                await pause(event)

    async def follow(
        self, run_id: str, *, tenant: str, after: int = 0, names: Sequence[str] | None = None
    ) -> AsyncIterator[list[StreamEvent]]:
        """Pages of a run's events after number `after`, as they come, until it has ended or was deleted.

        `names`: only events of these names, whatever their namespace. A page holds at most some hundred kilobytes, or
        one event; a database that is away for up to half a minute is waited for.
        """
        with self.woken(run_id) as event:
            failed = 0.0
            while True:
                event.clear()
                try:
                    page, more, ended = await self._page(run_id, tenant, after, names)
                    failed = 0.0
                except StoreUnavailable:
                    if (failed := failed + _POLL_S) > _OUTAGE_S:
                        raise
                    await asyncio.sleep(_POLL_S)
                    continue
                except NotFound:
                    return
                if page:
                    after = page[-1].number
                    yield page
                if ended and not more:
                    return
                if not more:
                    await pause(event)

    async def _page(
        self, run_id: str, tenant: str, after: int, names: Sequence[str] | None
    ) -> tuple[list[StreamEvent], bool, bool]:
        """Events, whether there may be more of them, and whether the run had ended before they were read."""
        rows = await self._database.fetch(
            _SQL["events_of_run"],
            {
                "run_id": run_id,
                "tenant": tenant,
                "after": after,
                "names": list(names) if names is not None else None,
                "rows": _PAGE_ROWS,
                "bytes": _PAGE_BYTES,
            },
        )
        if not rows:
            raise NotFound(f"There is no run {run_id}.")
        page = [StreamEvent.of(row) for row in rows if row["seq"] is not None]
        # A character has at most four bytes: below a quarter nothing was cut off.
        more = len(page) == _PAGE_ROWS or 4 * sum(len(event.data) for event in page) >= _PAGE_BYTES
        return page, more, rows[0]["status"] in ENDED


async def pause(woken: asyncio.Event) -> None:
    """Until something is told, at most a second."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(woken.wait(), _POLL_S)
