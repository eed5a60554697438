"""How a worker hears that a run wants advancing. Transport only: correctness rests on claims and leases."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, runtime_checkable

from engine.store.database import Connection

Advance = Callable[[str], Awaitable[None]]
"""Carry the run of this id as far as it goes; never raises."""


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

    async def work(self, advance: Advance, *, concurrency: int) -> None:
        """Advance runs as wake-ups arrive, until cancelled; then those under way are waited for.

        Raises `StoreUnavailable` when no more can arrive; it is called anew then.
        """
        ...

    async def forget_dead(self) -> int:
        """Drop wake-ups that nobody will finish because their worker died; returns how many."""
        ...
