"""Takes a run in the process that accepts it, and in the same transaction, while its worker has a hand free."""

import asyncio
from datetime import datetime
from typing import NamedTuple

from engine.runs.dispatch import Carrying, WorkingDispatcher
from engine.runs.model import Run
from engine.store.database import Connection, Database


class _Offer(NamedTuple):
    carrier: Carrying
    hands: int


class NearDispatcher:
    """`engine.runs.dispatch.WorkingDispatcher` that leaves to `far` what this process has no hand for.

    A run that is taken here needs no wake-up. Were the process to die, it would be found as any whose holder died.
    """

    def __init__(self, database: Database, far: WorkingDispatcher) -> None:
        self._database = database
        self._far = far
        self._offers: list[_Offer] = []
        self._taken = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def enqueue(
        self, conn: Connection, run_id: str, *, priority: int = 0, start_at: datetime | None = None
    ) -> None:
        if start_at is not None or not self._offers or self._taken >= self._offers[-1].hands:
            await self._far.enqueue(conn, run_id, priority=priority, start_at=start_at)
            return
        carrier, run = self._offers[-1].carrier, None
        self._taken += 1

        def begin(committed: bool) -> None:
            if committed and run:
                self._begin(carrier, run)
            else:
                self._taken -= 1

        self._database.after_commit(conn, begin)
        # One that is not to be had waits for an earlier one of its thread, whose end wakes somebody for it.
        run = await carrier.claim(conn, run_id)

    async def enqueue_lost(self, run_id: str) -> None:
        await self._far.enqueue_lost(run_id)

    async def forget_dead(self) -> int:
        return await self._far.forget_dead()

    async def work(self, carrier: Carrying, *, concurrency: int) -> None:
        """As `WorkingDispatcher.work`; meanwhile up to `concurrency` runs are taken here without a wake-up."""
        offer = _Offer(carrier, concurrency)
        self._offers.append(offer)
        far = asyncio.create_task(self._far.work(carrier, concurrency=concurrency), name="far wake-ups")
        try:
            await asyncio.shield(far)
        except asyncio.CancelledError:
            # Before those under way are waited for: what a draining process gives back is not for it to take again.
            self._offers.remove(offer)
            far.cancel()
            await far
            raise
        finally:
            self._offers = [other for other in self._offers if other is not offer]
            if not self._offers:
                await asyncio.gather(*self._under_way)

    def _begin(self, carrier: Carrying, run: Run) -> None:
        task = asyncio.create_task(self._carry(carrier, run), name=f"run {run.id}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry(self, carrier: Carrying, run: Run) -> None:
        try:
            await carrier.carry(run)
        finally:
            self._taken -= 1
