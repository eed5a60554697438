"""Wake-ups through procrastinate, through Temporal where that is configured, and in this process for evals."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import procrastinate.tasks
from procrastinate import exceptions
from procrastinate.jobs import Status

from contracts.errors import ConfigurationError, StoreUnavailable
from engine.runs.dispatch import Carrying, WorkingDispatcher
from engine.store.database import RECONNECT_S, Connection, Database, as_application, connection_options
from engine.worker.near import NearDispatcher

if TYPE_CHECKING:
    from engine.worker.temporal import TemporalDispatcher

_TASK = "advance"
_QUEUE = "runs"
_DEAD_AFTER_S = 120
"""A worker beats every ten seconds."""
_PRIORITY_LOST = 1_000


@dataclass(frozen=True)
class TemporalAt:
    """Where a Temporal server is, and how long a worker may hold a run without a sign."""

    address: str
    namespace: str
    queue: str
    api_key: str
    lease_s: float


@asynccontextmanager
async def open_dispatcher(database: Database, temporal: TemporalAt | None) -> AsyncIterator[WorkingDispatcher]:
    """Wake-ups through Temporal, or through the database where there is none. Raises `ConfigurationError`."""
    dispatcher = _on_temporal(database, temporal) if temporal else ProcrastinateDispatcher(database)
    await dispatcher.open()
    try:
        yield dispatcher if temporal else NearDispatcher(database, dispatcher)
    finally:
        await dispatcher.close()


def _on_temporal(database: Database, temporal: TemporalAt) -> "TemporalDispatcher":
    try:
        # An extra that few installations have, and that takes long to import.
        from engine.worker.temporal import TemporalDispatcher  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"The dispatcher 'temporal' lacks a library: {error}.", hint="Install gatehouse[temporal]."
        ) from error
    return TemporalDispatcher(database, temporal)


class ProcrastinateDispatcher:
    """`engine.runs.dispatch.Dispatcher` on a table in the same Postgres: a wake-up commits with what it is for.

    Its locks, retries and job states carry no meaning here: a job may be lost or doubled.
    """

    def __init__(self, database: Database) -> None:
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=database.dsn,
                kwargs=_options(database.dsn),
                min_size=1,
                max_size=4,
                reconnect_timeout=RECONNECT_S,
            )
        )
        self._worker: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._app.open_async()

    async def close(self) -> None:
        await self._app.close_async()

    async def enqueue(
        self, conn: Connection, run_id: str, *, priority: int = 0, start_at: datetime | None = None
    ) -> None:
        task = self._app.configure_task(_TASK, queue=_QUEUE, connection=conn, priority=priority, schedule_at=start_at)
        await task.defer_async(run_id=run_id)

    async def enqueue_lost(self, run_id: str) -> None:
        with contextlib.suppress(exceptions.AlreadyEnqueued):
            task = self._app.configure_task(_TASK, queue=_QUEUE, queueing_lock=run_id, priority=_PRIORITY_LOST)
            await task.defer_async(run_id=run_id)

    async def forget_dead(self) -> int:
        """Delete wake-ups that nobody will finish: their worker died over them, or they ended and were kept."""
        jobs = self._app.job_manager
        await jobs.delete_old_jobs(0, include_failed=True, include_cancelled=True, include_aborted=True)
        dead = [job for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=_DEAD_AFTER_S) if job.id]
        for job in dead:
            await jobs.finish_job(job, Status.FAILED, delete_job=True)
        return len(dead)

    async def work(self, carrier: Carrying, *, concurrency: int) -> None:
        """Advance runs as wake-ups arrive, until cancelled; then those under way are waited for.

        Its listening connection does not come back by itself after an outage: then it only polls, every two seconds,
        until it is started anew. Raises `StoreUnavailable` at its end when that has happened.
        """

        async def advance_run(run_id: str) -> None:
            await carrier.advance(run_id)

        self._app.tasks[_TASK] = procrastinate.tasks.Task(advance_run, blueprint=self._app, name=_TASK, queue=_QUEUE)
        try:
            await self._app.run_worker_async(
                queues=[_QUEUE],
                concurrency=concurrency,
                delete_jobs="always",
                install_signal_handlers=False,
                fetch_job_polling_interval=2.0,
            )
        except exceptions.ConnectorException as error:
            raise StoreUnavailable(f"The wake-ups lost their database: {error.__cause__!r}.") from error


class InlineDispatcher:
    """Remembers what wants advancing; `drain` advances it in the caller's task. For evals and tests."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    async def enqueue(
        self, conn: Connection, run_id: str, *, priority: int = 0, start_at: datetime | None = None
    ) -> None:
        self._waiting.append(run_id)

    async def enqueue_lost(self, run_id: str) -> None:
        self._waiting.append(run_id)

    async def drain(self, carrier: Carrying) -> None:
        """Advance until nothing waits."""
        while self._waiting:
            await carrier.advance(self._waiting.pop(0))


def _options(dsn: str) -> dict[str, object]:
    options = connection_options() | as_application(dsn)
    # procrastinate sets these itself.
    return {name: value for name, value in options.items() if name not in ("autocommit", "row_factory")}
