"""Begins a run in the process that accepted it, while its worker has a hand free."""

import asyncio
from datetime import datetime

from engine.runs.dispatch import Advance, WorkingDispatcher
from engine.store.database import Connection, Database


class NearDispatcher:
    """`engine.runs.dispatch.WorkingDispatcher` that leaves to `far` what this process has no hand for.

    A run that is begun here needs no wake-up. Were the process to die, the sweepers would find the run as they find one
    whose wake-up is lost.
    """

    def __init__(self, database: Database, far: WorkingDispatcher) -> None:
        self._database = database
        self._far = far
        self._offers: list[tuple[Advance, int]] = []
        self._taken = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def enqueue(
        self, conn: Connection, run_id: str, *, priority: int = 0, start_at: datetime | None = None
    ) -> None:
        if start_at is not None or not self._offers or self._taken >= self._offers[-1][1]:
            await self._far.enqueue(conn, run_id, priority=priority, start_at=start_at)
            return
        self._taken += 1
        self._database.after_commit(conn, lambda committed: self._begin(run_id, committed))

    async def enqueue_lost(self, run_id: str) -> None:
        await self._far.enqueue_lost(run_id)

    async def forget_dead(self) -> int:
        return await self._far.forget_dead()

    async def work(self, advance: Advance, *, concurrency: int) -> None:
        """As `WorkingDispatcher.work`; meanwhile up to `concurrency` runs are begun here without a wake-up."""
        offer = (advance, concurrency)
        self._offers.append(offer)
        far = asyncio.create_task(self._far.work(advance, concurrency=concurrency), name="far wake-ups")
        try:
            await asyncio.shield(far)
        except asyncio.CancelledError:
            # Before those under way are waited for: what a draining process gives back is not for it to begin again.
            self._offers.remove(offer)
            far.cancel()
            await far
            raise
        finally:
            self._offers = [other for other in self._offers if other is not offer]
            if not self._offers:
                await asyncio.gather(*self._under_way)

    def _begin(self, run_id: str, committed: bool) -> None:
        if not committed or not self._offers:
            self._taken -= 1
            return
        task = asyncio.create_task(self._carry(self._offers[-1][0], run_id), name=f"run {run_id}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry(self, advance: Advance, run_id: str) -> None:
        try:
            await advance(run_id)
        finally:
            self._taken -= 1
