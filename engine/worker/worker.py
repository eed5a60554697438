"""The worker process: wake-ups, the sweeper for what was lost, timers of requests, and drain."""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
from procrastinate.exceptions import ConnectorException

from contracts.errors import GatehouseError, StoreUnavailable
from engine.approvals.timers import DueRequest, due_requests, fire
from engine.items.items import sweep_items
from engine.queues.throttles import end_where_room
from engine.runs import runs
from engine.runs.dispatch import WorkingDispatcher
from engine.store.scope import across_tenants, nobody, of_tenant
from engine.traces.metrics import LOST_RUNS, SWEEPS
from engine.worker.advance import Carrier
from engine.worker.errands import Errand, Errands
from engine.worker.ticks import fire_due

_LOG = logging.getLogger("gatehouse.worker")
_REQUESTS_A_SWEEP = 200
"""More are left to the next one, so that lost runs are looked for in between."""
_SILENT_SWEEPS, _SILENT_S = 5, 10
"""A worker is ill that has not swept for this many times its interval and these seconds more."""


class Worker:
    """Runs until stopped; `stop` drains: what is under way stops at the next stage boundary and is given back."""

    def __init__(
        self,
        carrier: Carrier,
        dispatcher: WorkingDispatcher,
        errands: Sequence[Errand],
        *,
        concurrency: int,
        sweep_every_s: float,
    ) -> None:
        self._carrier = carrier
        self._dispatcher = dispatcher
        self._concurrency = concurrency
        self._sweep_every_s = sweep_every_s
        self._errands = Errands(errands)
        self._wake_ups: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._draining = False
        self._swept_at = time.monotonic()

    def start(self) -> None:
        with nobody():
            self._start_wake_ups()
            self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="sweeper")
            self._errands.start()

    async def wait(self) -> None:
        """Until the sweeper ends, which it does only by failing; raises its error."""
        if self._sweeper:
            await asyncio.wait({self._sweeper})
            self._sweeper.result()

    def ailment(self) -> str:
        """Why this worker carries no runs now; "" if it is well."""
        if self._draining:
            return "it drains"
        if not self._sweeper or self._sweeper.done():
            return "its sweeper has ended"
        silent_s = time.monotonic() - self._swept_at
        if silent_s > _SILENT_SWEEPS * self._sweep_every_s + _SILENT_S:
            return f"its last complete sweep was {silent_s:.0f} s ago"
        return ""

    async def stop(self) -> None:
        """Drain: nothing is lost, and nothing new is begun."""
        self._draining = True
        self._carrier.control.request_drain()
        await self._errands.stop()
        for task in (self._sweeper, self._wake_ups, *self._retiring):
            if task:
                await _end(task)

    def _start_wake_ups(self) -> None:
        work = self._dispatcher.work(self._carrier, concurrency=self._concurrency)
        self._wake_ups = asyncio.create_task(work, name="wake-ups")

    def _restart_wake_ups(self) -> None:
        """After an outage, because their listening connection is gone; runs under way are finished by the old ones."""
        if self._wake_ups:
            retiring = asyncio.create_task(_end(self._wake_ups), name="retiring wake-ups")
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)
        self._start_wake_ups()

    async def _sweep_for_ever(self) -> None:
        outage = False
        while True:
            try:
                await sweep(self._carrier)
                SWEEPS.labels("ok").inc()
                self._swept_at = time.monotonic()
                if outage or (self._wake_ups and self._wake_ups.done()):
                    _LOG.warning(
                        "%s; they are started anew", "the wake-ups missed an outage" if outage else "the wake-ups ended"
                    )
                    self._restart_wake_ups()
                outage = False
            except (psycopg.OperationalError, StoreUnavailable, ConnectorException) as error:
                outage = True
                SWEEPS.labels("failed").inc()
                _LOG.warning("the sweeper could not reach the database: %s", error)
            await asyncio.sleep(self._sweep_every_s)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except StoreUnavailable as error:
        _LOG.warning("%s", error.detail)


async def sweep(carrier: Carrier, *, now: datetime | None = None) -> None:
    """Wake workers for runs that nobody works on, start those of schedules, end what is over at `now`."""
    with across_tenants("items whose time is over, and runs that nobody works on"):
        async with carrier.database.transaction() as conn:
            await sweep_items(conn)
            lost = await runs.lost_runs(conn, loaded=carrier.catalog.versions)
    LOST_RUNS.inc(len(lost))
    for run_id in lost:
        await carrier.dispatcher.enqueue_lost(run_id)
    await _fire_timers(carrier, now)
    with across_tenants("queues that have room again"):
        async with carrier.database.transaction() as conn:
            await end_where_room(conn, carrier.catalog.queues, now=now or datetime.now(UTC))
    await fire_due(carrier.intake, now=now)


async def _fire_timers(carrier: Carrier, now: datetime | None) -> None:
    """Have happen to requests what it is time for; one to which nothing can happen keeps no other from it."""
    last, fired = None, 0
    while fired < _REQUESTS_A_SWEEP:
        with across_tenants("requests whose time has come"):
            async with carrier.database.reading() as conn:
                part = await due_requests(conn, now=now, after=last)
        if not part:
            return
        last = part[-1]
        for due in part:
            fired += await _fire(carrier, due, now)


async def _fire(carrier: Carrier, due: DueRequest, now: datetime | None) -> bool:
    """Whether anything has happened to a request."""
    try:
        with of_tenant(due.tenant):
            async with carrier.database.transaction() as conn:
                return bool(await fire(conn, due, carrier.dispatcher, now=now))
    except StoreUnavailable:
        raise
    except GatehouseError as error:
        _LOG.error("request %s cannot be warned of, moved up or ended: %s", due.id, error.detail)
        return False
