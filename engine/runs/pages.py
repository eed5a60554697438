"""Stream events as they are kept, read in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Self, TypeVar

from psycopg.rows import DictRow

from contracts.errors import NotFound
from engine.runs.model import ENDED
from engine.store.database import Database
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_ROWS = 500
_BYTES = 256 * 1024


@dataclass(frozen=True)
class StreamEvent:
    """An event as it is kept. Numbers grow over all runs; those of one run, and of one thread, in their order."""

    number: int
    name: str
    data: str

    @classmethod
    def of(cls, row: DictRow) -> Self:
        return cls(row["seq"], row["event"], row["data"])


@dataclass(frozen=True)
class ThreadEvent(StreamEvent):
    """An event of one of a thread's runs."""

    run_id: str
    workflow: str
    at: datetime
    went_on: bool
    """Of the end of a run: whether the thread has had another one since."""

    @classmethod
    def of(cls, row: DictRow) -> Self:
        return cls(
            row["seq"],
            row["event"],
            row["data"],
            run_id=str(row["run_id"]),
            workflow=row["workflow"],
            at=row["at"],
            went_on=bool(row["went_on"]),
        )


Event = TypeVar("Event", bound=StreamEvent)


@dataclass(frozen=True)
class Page(Generic[Event]):
    """At most some hundred kilobytes of events, or one; whether there may be more now, and whether others may come."""

    events: list[Event]
    more: bool
    come: bool


async def page_of_run(
    database: Database, run_id: str, *, tenant: str, after: int, names: Sequence[str] | None
) -> Page[StreamEvent]:
    """Events of a run after one, only those of these names. Raises `NotFound`."""
    rows = await _rows(database, "events_of_run", names, run_id=run_id, tenant=tenant, after=after)
    if not rows:
        raise NotFound(f"There is no run {run_id}.")
    events = [StreamEvent.of(row) for row in rows if row["seq"] is not None]
    return Page(events, _may_be_more(events), rows[0]["status"] not in ENDED)


@dataclass
class ThreadReader:
    """Reads what happens on one thread; only events of these names."""

    database: Database
    thread_id: str
    tenant: str
    names: Sequence[str] | None
    _seen_at: datetime | None = None

    async def page(self, after: int) -> Page[ThreadEvent]:
        """Events of all of the thread's runs after one. Raises `NotFound`."""
        params = {"thread_id": self.thread_id, "tenant": self.tenant, "after": after, "seen_at": self._seen_at}
        rows = await _rows(self.database, "events_of_thread", self.names, **params)
        if not rows:
            raise NotFound(f"There is no thread {self.thread_id}.")
        events = [ThreadEvent.of(row) for row in rows if row["seq"] is not None]
        self._seen_at = events[-1].at if events else self._seen_at
        return Page(events, _may_be_more(events), come=True)


async def newest_event(database: Database, thread_id: str, *, upto: int = 2**63 - 1) -> tuple[int, int]:
    """The number of a thread's newest event up to one, and of the first of the same run; zeros if there is none."""
    rows = await database.fetch(_SQL["last_event"], {"thread_id": thread_id, "upto": upto})
    return (rows[0]["seq"], rows[0]["first"]) if rows else (0, 0)


@dataclass(frozen=True)
class CurrentCase:
    """The case that a thread works on, or worked on last."""

    first: int
    """The number of its first event."""
    open: bool
    """Whether it goes on or waits for somebody."""
    age_s: float
    """Since its newest run was accepted."""


async def current_case(database: Database, thread_id: str) -> CurrentCase | None:
    """None for a thread that has had no run."""
    rows = await database.fetch(_SQL["current_case"], {"thread_id": thread_id})
    return CurrentCase(rows[0]["first"] or 0, rows[0]["open"], rows[0]["age_s"]) if rows else None


async def watch_thread(database: Database, thread_id: str, *, for_s: float) -> None:
    """Have what begins on the thread within this time streamed, although its caller does not ask for it."""
    async with database.transaction() as conn:
        await conn.execute(_SQL["watch_thread"], {"thread_id": thread_id, "for": timedelta(seconds=for_s)})


async def _rows(database: Database, query: str, names: Sequence[str] | None, **params: Any) -> list[DictRow]:
    wanted = list(names) if names is not None else None
    return await database.fetch(_SQL[query], params | {"names": wanted, "rows": _ROWS, "bytes": _BYTES})


def _may_be_more(events: Sequence[StreamEvent]) -> bool:
    # A character has at most four bytes: below a quarter nothing was cut off.
    return len(events) == _ROWS or 4 * sum(len(event.data) for event in events) >= _BYTES
