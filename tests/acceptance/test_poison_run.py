"""A run whose stage kills every worker that carries it is given up and shown to people."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engine.runs.report import find_runs
from tests.conftest import TRIALS, Site, fresh_database
from tests.engines import TENANT, Bench, bench_on
from tests.workers import Workers, workers_at

QUICK = {"GATEHOUSE_LEASE_S": "0.8", "GATEHOUSE_SWEEP_EVERY_S": "0.1"}


@pytest.fixture
async def yard(postgres: str, folder: Path) -> AsyncIterator[tuple[Bench, Workers]]:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "poison", folder / "poison.sqlite", TRIALS)
        async with bench_on(site, shared=True) as bench:
            with workers_at(site) as workers:
                yield replace(bench, workflow="deadly"), workers


async def died(workers: Workers, worker: int) -> bool:
    """Whether the worker dies by itself."""
    with contextlib.suppress(psutil.TimeoutExpired):
        await asyncio.to_thread(workers.alive[worker].wait, timeout=30)
        workers.alive.pop(worker)
    return worker not in workers.alive


def tried(deaths: Path) -> int:
    """How often the stage was executed."""
    return len([*deaths.parent.glob(f"{deaths.name}.*")])


@pytest.mark.slow
async def test_a_stage_that_kills_every_worker_is_tried_five_times_and_shown_to_a_person(
    yard: tuple[Bench, Workers], folder: Path
) -> None:
    (bench, workers), deaths = yard, folder / "deaths"
    poison = await bench.accept({"deaths": str(deaths)})

    fates = [await died(workers, workers.start(**QUICK)) for _ in range(5)]
    workers.start(**QUICK)
    await bench.until(f"SELECT 1 FROM run WHERE id = '{poison.id}' AND finished_at IS NOT NULL")

    ended = await bench.again(poison)
    assert (fates, tried(deaths)) == ([True] * 5, 5)
    assert (ended.status, ended.outcome, ended.attempts) == ("error", "failed_safe", 6)
    assert (ended.error or {})["error"] == "run_given_up"
    async with bench.engine.database.transaction() as conn:
        failed = await find_runs(conn, tenant=TENANT, status="error")
    assert [str(row["run_id"]) for row in failed] == [poison.id]
    assert [data["outcome"] for event, data in await bench.events(poison) if event == "run.failed"] == ["failed_safe"]
