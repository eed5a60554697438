"""How a worker hears that a run wants advancing. Transport only: correctness rests on claims and leases."""

from datetime import datetime
from typing import Protocol, runtime_checkable

from engine.runs.model import Run
from engine.store.database import Connection


class Carrying(Protocol):
    """Who carries runs when they want advancing."""

    async def advance(self, run_id: str) -> None:
        """Take the run and carry it as far as it goes; does nothing when somebody else holds it. Never raises."""
        ...

    async def claim(self, conn: Connection, run_id: str) -> Run | None:
        """Take the run in the caller's transaction; None when it is not to be had."""
        ...

    async def carry(self, run: Run) -> None:
        """Carry a run that was taken as far as it goes; never raises."""
        ...


class Dispatcher(Protocol):
    """At-least-once wake-ups: a lost or doubled one does no harm."""

    async def enqueue(
        self, conn: Connection, run_id: str, *, priority: int = 0, start_at: datetime | None = None
    ) -> None:
        """Wake a worker for this run once `conn`'s transaction commits, and not before `start_at`."""
        ...

    async def enqueue_lost(self, run_id: str) -> None:
        """Wake a worker, ahead of others, for a run whose wake-up may be lost; at most one such is kept."""
        ...


@runtime_checkable
class WorkingDispatcher(Dispatcher, Protocol):
    """One that brings its wake-ups to workers in other processes."""

    async def work(self, carrier: Carrying, *, concurrency: int) -> None:
        """Advance runs as wake-ups arrive, until cancelled; then those under way are waited for.

        Raises `StoreUnavailable` when no more can arrive; it is called anew then.
        """
        ...

    async def forget_dead(self) -> int:
        """Drop wake-ups that nobody will finish because their worker died; returns how many."""
        ...
