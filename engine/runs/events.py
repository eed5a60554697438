"""Stream events of runs: kept as the text that is sent, numbered over all runs, so that any server can serve them."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import psycopg

from contracts.errors import NotFound
from engine.credentials.redactor import KNOWN
from engine.runs.model import Run
from engine.runs.pages import Event, Page, StreamEvent, ThreadEvent, ThreadReader, page_of_run, watch_thread
from engine.runs.runs import get_run
from engine.store.database import Connection, Database, as_application, connection_options, patiently
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_POLL_S = 1.0
_LOOK_S = 15.0
_WATCH_S = 60.0

Named = tuple[str, str]
"""What is streamed: an event's name, with its namespace as in `values|stage:id`, and its data as JSON text."""


async def append_events(conn: Connection, run: Run, events: Sequence[Named]) -> None:
    """Keep events after those the run has, and wake their readers when the transaction commits.

    One statement, and a transaction that begins with the run's fence, or holds the thread of one that has ended: one
    writer, one batch after another, so that numbers become visible in their order.
    """
    names, data = zip(*events, strict=True)
    texts = [KNOWN.text(text) for text in data]
    params = {"run_id": run.id, "thread_id": run.thread_id, "names": list(names), "data": texts}
    await conn.execute(_SQL["insert_events"], params)


async def is_untold(conn: Connection, run: Run) -> bool:
    """Whether nobody who follows the run's thread has been told that it ended, because it was not streamed."""
    row = await (await conn.execute(_SQL["untold"], {"run_id": run.id})).fetchone()
    return bool(row and row["untold"])


async def append_state_update(conn: Connection, thread_id: str, checkpoint_id: str) -> None:
    """Keep that a thread's state was written from outside; expects the transaction that wrote it and holds the thread.

    A thread that has had no run keeps none.
    """
    await conn.execute(_SQL["insert_state_update"], {"thread_id": thread_id, "checkpoint_id": checkpoint_id})


class Notices:
    """One listening connection a process; waiters are woken by id.

    They look for themselves once a second while nobody listens, and else now and then: what is told is told in the
    transaction that changes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._told: dict[str, tuple[Run, Any]] = {}
        self._carried: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._listening = False

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
                options = connection_options() | as_application(self._database.dsn)
                async with await psycopg.AsyncConnection.connect(self._database.dsn, **options) as conn:
                    await conn.execute("LISTEN gatehouse_run")
                    self._listening = True
                    self._wake(list(self._waiting))  # what was told while nobody listened
                    async for notice in conn.notifies():
                        self._wake(notice.payload.split())
            except psycopg.OperationalError:
                # Waiters poll meanwhile; a database that comes back is listened to again.
                self._listening = False
                self._wake(list(self._waiting))
                await asyncio.sleep(_POLL_S)

    def _wake(self, keys: Iterable[str]) -> None:
        for event in (event for key in keys for event in self._waiting.get(key, ())):
            event.set()

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
                self._told.pop(key, None)

    async def _pause(self, woken: asyncio.Event) -> None:
        """Until something is told, or it is time to look."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S if self._listening else _POLL_S):
                await woken.wait()

    async def wait_for_end(self, run_id: str, *, tenant: str) -> Run:
        """The run, once it has ended."""
        return (await self.wait_for_result(run_id, tenant=tenant))[0]

    async def wait_for_result(self, run_id: str, *, tenant: str) -> tuple[Run, Any]:
        """The run, once it has ended, and the state that it left if a worker of this process told."""

        async def found() -> Run:
            async with self._database.reading() as conn:
                return await get_run(conn, run_id, tenant=tenant)

        look = self._carried.get(run_id) != tenant
        with self.woken(run_id) as event:
            while True:
                told = self._told.get(run_id)
                if told and told[0].tenant == tenant:
                    return told
                event.clear()
                if look:
                    run = await patiently(found)
                    if run.ended:
                        return self._told.get(run_id) or (run, None)
                await self._pause(event)
                look = True

    @contextlib.contextmanager
    def carried(self, run: Run) -> Iterator[None]:
        """While the block carries the run, who begins to wait here for its end need not look for it first."""
        self._carried[run.id] = run.tenant
        try:
            yield
        finally:
            self._carried.pop(run.id, None)
            self._wake([run.id])

    def tell(self, run: Run, left: Any) -> None:
        """Spare who waits in this process for a run that has ended the way to the database."""
        if run.id in self._waiting:
            self._told[run.id] = (run, left)
            for event in self._waiting[run.id]:
                event.set()

    async def follow(
        self, run_id: str, *, tenant: str, after: int = 0, names: Sequence[str] | None = None
    ) -> AsyncIterator[list[StreamEvent]]:
        """A run's events after number `after`, only those of these names, until it has ended or was deleted."""

        def read(after: int) -> Awaitable[Page[StreamEvent]]:
            return page_of_run(self._database, run_id, tenant=tenant, after=after, names=names)

        with self.woken(run_id) as event:
            async for page in self._pages(read, after, event):
                yield page

    async def follow_thread(
        self, thread_id: str, *, tenant: str, after: int = 0, names: Sequence[str] | None = None
    ) -> AsyncIterator[list[ThreadEvent]]:
        """Events of all of a thread's runs as they come, after number `after`, until the thread is deleted.

        While it is read, runs that begin on the thread are streamed although their callers do not ask for it.
        """

        watched = 0.0

        async def read(after: int) -> Page[ThreadEvent]:
            nonlocal watched
            if time.monotonic() > watched:
                await watch_thread(self._database, thread_id, for_s=2 * _WATCH_S)
                watched = time.monotonic() + _WATCH_S
            return await reader.page(after)

        reader = ThreadReader(self._database, thread_id, tenant, names)
        with self.woken(thread_id) as event:
            async for page in self._pages(read, after, event):
                yield page

    async def _pages(
        self, read: Callable[[int], Awaitable[Page[Event]]], after: int, woken: asyncio.Event
    ) -> AsyncIterator[list[Event]]:
        """Pages as they come, read patiently."""
        while True:
            woken.clear()
            try:
                page = await patiently(partial(read, after))
            except NotFound:
                return
            if page.events:
                after = page.events[-1].number
                yield page.events
            if not page.more:
                if not page.come:
                    return
                await self._pause(woken)
