"""The worker process: wake-ups, the sweeper for what was lost, expiry of requests, and drain."""

import asyncio
import contextlib
import logging
from datetime import datetime

import psycopg

from contracts.errors import StoreUnavailable
from engine.approvals.decisions import due_requests, expire
from engine.runs import runs
from engine.worker.advance import Carrier
from engine.worker.dispatchers import ProcrastinateDispatcher

_LOG = logging.getLogger("gatehouse.worker")


class Worker:
    """Runs until stopped; `stop` drains: what is under way stops at the next stage boundary and is given back."""

    def __init__(
        self, carrier: Carrier, dispatcher: ProcrastinateDispatcher, *, concurrency: int, sweep_every_s: float
    ) -> None:
        self._carrier = carrier
        self._dispatcher = dispatcher
        self._concurrency = concurrency
        self._sweep_every_s = sweep_every_s
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        work = self._dispatcher.work(self._carrier.advance, concurrency=self._concurrency)
        self._tasks = [
            asyncio.create_task(work, name="wake-ups"),
            asyncio.create_task(self._sweep_for_ever(), name="sweeper"),
        ]

    async def wait(self) -> None:
        """Until one of the worker's parts ends, which it does only by failing; raises its error."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Drain: nothing is lost, and nothing new is begun."""
        self._carrier.control.request_drain()
        for task in reversed(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await sweep(self._carrier)
            except (psycopg.OperationalError, StoreUnavailable) as error:
                _LOG.warning("the sweeper could not reach the database: %s", error)
            await asyncio.sleep(self._sweep_every_s)


async def sweep(carrier: Carrier, *, now: datetime | None = None) -> None:
    """Wake workers for runs that nobody works on, and expire requests whose time is over at `now`."""
    async with carrier.database.transaction() as conn:
        lost = await runs.lost_runs(conn)
        due = await due_requests(conn, now=now)
    for run_id in lost:
        await carrier.dispatcher.enqueue_lost(run_id)
    for request in due:
        async with carrier.database.transaction() as conn:
            await expire(conn, request, carrier.dispatcher, now=now)
