"""Wake-ups through Temporal, in place of the table in our Postgres: a workflow for each run, which holds its id."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError
from temporalio.worker import Worker

from contracts.errors import StoreUnavailable
from engine.runs.dispatch import Carrying
from engine.store.database import Connection, Database
from engine.worker.dispatchers import TemporalAt
from engine.worker.temporal_workflow import ACTIVITY, WakeRun

_LOG = logging.getLogger("gatehouse.worker")
_FAILURES = (RPCError, TemporalError, RuntimeError)
"""What the client raises when Temporal is away; RuntimeError where it never was there."""
_ANSWERS_WITHIN = timedelta(seconds=5)
_LEASES = 1.2
"""A worker that is silent for so many leases holds its runs no longer, so whom Temporal sends next can take them."""


class TemporalDispatcher:
    """`engine.runs.dispatch.WorkingDispatcher` on Temporal. Leases decide who owns a run, here as elsewhere.

    Temporal is told after the commit. If it is away then, or this process dies in between, the run is pending without a
    wake-up, and the sweeper of some worker finds it after five seconds.
    """

    def __init__(self, database: Database, at: TemporalAt) -> None:
        self._database = database
        self._at = at
        self._silent_s = _LEASES * at.lease_s
        self._client: Client | None = None
        self._telling: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Does not wait for Temporal: runs are accepted while it is away."""
        self._client = await self._connect(lazy=True)

    async def close(self) -> None:
        """What is being told is told; what cannot be is left to the sweeper."""
        await asyncio.gather(*self._telling.values())

    async def enqueue(
        self, conn: Connection, run_id: str, *, priority: int = 0, start_at: datetime | None = None
    ) -> None:
        later = max(start_at - datetime.now(UTC), timedelta(0)) if start_at else None
        # One that exists may be at its end: the signal has it look at the run once more.
        more: dict[str, Any] = {"start_signal": "wake"} if later is None else {"start_delay": later}

        def tell(committed: bool) -> None:
            if committed:
                self._tell(run_id, priority=_priority(priority), **more)

        self._database.after_commit(conn, tell)

    async def enqueue_lost(self, run_id: str) -> None:
        self._tell(run_id, priority=Priority(priority_key=1))

    async def forget_dead(self) -> int:
        return 0  # its server looks after its own

    async def work(self, carrier: Carrying, *, concurrency: int) -> None:
        """As `WorkingDispatcher.work`; raises `StoreUnavailable` while Temporal is away."""
        try:
            worker = Worker(
                await self._connect(lazy=False),  # the library lets no worker have a client that connects later
                task_queue=self._at.queue,
                workflows=[WakeRun],
                activities=[advancing(carrier, beat_s=self._silent_s / 4)],
                max_concurrent_activities=concurrency,
                graceful_shutdown_timeout=timedelta(days=1),
            )
            await worker.run()
        except _FAILURES as error:
            raise StoreUnavailable(f"Temporal at {self._at.address} brings no wake-ups: {error}.") from error

    def _tell(self, run_id: str, **how: Any) -> None:
        """In the background: whoever commits does not wait for Temporal."""
        if run_id not in self._telling or "start_signal" in how:
            task = asyncio.create_task(self._start(run_id, how), name=f"wake-up of {run_id}")
            self._telling[run_id] = task
            task.add_done_callback(lambda _: self._told(run_id, task))

    def _told(self, run_id: str, task: asyncio.Task[None]) -> None:
        if self._telling.get(run_id) is task:
            del self._telling[run_id]

    async def _start(self, run_id: str, how: dict[str, Any]) -> None:
        try:
            client = self._client or await self._connect(lazy=True)
            await client.start_workflow(
                WakeRun.carry,
                args=[run_id, self._silent_s],
                id=f"{self._at.queue}:{run_id}",
                task_queue=self._at.queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                rpc_timeout=_ANSWERS_WITHIN,
                **how,
            )
        except _FAILURES as error:
            _LOG.warning("Temporal could not be told of run %s, which the sweeper will find: %s", run_id, error)

    async def _connect(self, *, lazy: bool) -> Client:
        key = self._at.api_key or None
        return await Client.connect(
            self._at.address, namespace=self._at.namespace, api_key=key, tls=key is not None, lazy=lazy
        )


def advancing(carrier: Carrying, *, beat_s: float) -> Any:
    """The activity: to advance a run, with a heartbeat that stops with the process."""

    @activity.defn(name=ACTIVITY)
    async def advance_run(run_id: str) -> None:
        async with _beating(beat_s):
            await carrier.advance(run_id)

    return advance_run


@asynccontextmanager
async def _beating(beat_s: float) -> AsyncIterator[None]:
    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(beat_s)

    heart = asyncio.create_task(beat(), name="Temporal's heartbeat")
    try:
        yield
    finally:
        heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await heart


def _priority(ours: int) -> Priority:
    """Temporal counts from 1, which goes first, to 5; ours is any number, and higher goes first."""
    return Priority(priority_key=2 if ours > 0 else 3 if ours == 0 else 4)
