"""Wake-ups through Temporal: what can be tried without a server, and, where one is given, a case from end to end."""

import asyncio
import contextlib
import logging
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Replayer

from commands.serving import free_port
from contracts.errors import StoreUnavailable
from engine.runs.runs import lost_runs
from engine.wiring import running_worker
from engine.worker.temporal import TemporalDispatcher, advancing
from engine.worker.temporal_workflow import ACTIVITY, WakeRun
from tests.conftest import ROOT, TEMPORAL, Site, fresh_database
from tests.engines import Bench, bench_on, fresh_bench
from tests.stubs.temporal_history import History
from tests.workers import workers_at

RUN = "00000000-0000-0000-0000-000000000001"


def history(*, woken_meanwhile: bool, advanced: int) -> WorkflowHistory:
    """Started by a signal, perhaps woken again while a worker was at it, and ended after so many calls."""
    made = History("gatehouse.run", RUN, 18.0)
    made.signalled("wake")
    by = made.decided()
    for number in range(advanced):
        call = made.called(ACTIVITY, by, RUN)
        if woken_meanwhile and number == 0:
            made.signalled("wake")
            made.decided()
        made.returned(call)
        by = made.decided()
    return made.ended(by)


@pytest.mark.parametrize(
    ("woken_meanwhile", "advanced", "as_written"),
    [(False, 1, True), (True, 2, True), (True, 1, False), (False, 2, False)],
)
async def test_a_wake_up_while_a_worker_is_at_it_is_not_lost(
    woken_meanwhile: bool, advanced: int, as_written: bool
) -> None:
    replayed = await Replayer(workflows=[WakeRun]).replay_workflow(
        history(woken_meanwhile=woken_meanwhile, advanced=advanced), raise_on_replay_failure=False
    )

    assert (replayed.replay_failure is None) is as_written


async def test_the_activity_advances_a_run_and_keeps_telling_that_it_lives(postgres: str, folder: Path) -> None:
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    async with fresh_bench(postgres, folder) as bench:
        run = await bench.open_case()

        await environment.run(advancing(bench.engine.carrier, beat_s=0.001), run.id)

        assert (await bench.again(run)).status == "interrupted"
    assert len(beats) > 1


def test_nothing_of_temporal_is_imported_unless_it_is_asked_for() -> None:
    program = "import sys, engine.wiring, commands.serving; sys.exit('temporalio' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


@asynccontextmanager
async def bench_with(site: Site, address: str, queue: str = "gatehouse") -> AsyncIterator[Bench]:
    """A bench whose wake-ups go to Temporal at this address."""
    site.home.mkdir(parents=True, exist_ok=True)  # nothing else runs here
    settings = {"dispatcher": "temporal", "temporal_address": address, "temporal_queue": queue}
    async with bench_on(site, shared=True, sweep_every_s=0.2, **settings) as bench:
        yield bench


@pytest.fixture
async def away(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    """A bench whose Temporal does not answer."""
    with fresh_database(postgres) as dsn:
        home = folder / "temporal"
        async with bench_with(Site(dsn, home, home / "worlds.sqlite"), f"127.0.0.1:{free_port()}") as bench:
            yield bench


async def test_a_run_is_accepted_while_temporal_is_away_and_found_by_the_sweeper(
    away: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "gatehouse.worker"):
        run = await asyncio.wait_for(away.open_case(), timeout=2)
        for _ in range(100):
            await asyncio.sleep(0.1)
            if caplog.records:
                break

    await away.rows("UPDATE run SET updated_at = now() - interval '1 minute'")
    async with away.engine.database.transaction() as conn:
        assert await lost_runs(conn, loaded=away.engine.catalog.versions) == [run.id]
    assert run.id in caplog.text


async def test_what_is_rolled_back_is_not_told(away: Bench, caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = away.engine.dispatcher
    assert isinstance(dispatcher, TemporalDispatcher)

    with contextlib.suppress(KeyError):
        async with away.engine.database.transaction() as conn:
            await dispatcher.enqueue(conn, RUN)
            raise KeyError

    await dispatcher.close()
    assert RUN not in caplog.text


async def test_a_worker_outlives_temporals_absence(away: Bench) -> None:
    async with running_worker(away.engine) as worker:
        await asyncio.sleep(1)

        assert worker.ailment() == ""


async def test_a_dispatcher_without_temporal_says_so(away: Bench) -> None:
    dispatcher = away.engine.dispatcher
    assert isinstance(dispatcher, TemporalDispatcher)

    with pytest.raises(StoreUnavailable, match="brings no wake-ups"):
        await asyncio.wait_for(dispatcher.work(away.engine.carrier, concurrency=1), timeout=30)


@pytest.mark.temporal
@pytest.mark.skipif(not TEMPORAL, reason="no server at GATEHOUSE_TEMPORAL_ADDRESS")
async def test_with_a_server_a_case_is_carried_taken_over_and_paid_once(postgres: str, folder: Path) -> None:
    with fresh_database(postgres) as dsn:
        home, queue = folder / "temporal-served", f"test-{uuid.uuid4()}"
        site = Site(dsn, home, home / "worlds.sqlite")
        told = {"dispatcher": "temporal", "temporal_address": TEMPORAL, "temporal_queue": queue}
        environment = {f"GATEHOUSE_{name.upper()}": value for name, value in told.items()}
        async with bench_with(site, TEMPORAL, queue) as bench:
            with workers_at(site) as workers:
                first = workers.start(**environment)
                run = await bench.open_case()
                await bench.until("SELECT 1 FROM approval WHERE status = 'pending'")
                workers.end(first, signal.SIGKILL)
                leg = await bench.approve(run)
                workers.start(**environment)
                await bench.until("SELECT 1 FROM run WHERE kind = 'resume' AND status = 'success'")
            account = str((await bench.state(run))["account_id"])
            assert ((await bench.again(leg)).outcome, bench.refunds(account)) == ("completed", [25_000])
