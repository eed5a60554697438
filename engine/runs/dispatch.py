"""How a worker hears that a run wants advancing. Transport only: correctness rests on claims and leases."""

from datetime import datetime
from typing import Protocol

from engine.store.database import Connection


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
