"""Runs that stand behind a case that waits: they change nothing for it, nor for those who look after it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import NotFound, ThreadBusy
from engine.runs.model import Cancellation, Run
from engine.runs.runs import delete_run
from engine.worker.worker import sweep
from nodes.effect import carries_out
from tests.effects import FAILS, System, carrying_out
from tests.engines import Bench, fresh_bench
from trials import counter

ADA, BEN = Cancellation("key:ada"), Cancellation("key:ben")


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def at_a_gate(bench: Bench) -> tuple[Bench, Run, dict[str, Any]]:
    return bench, await bench.open_case(), {"complaint": "x", "account_id": bench.new_account()}


async def in_doubt(bench: Bench) -> tuple[Bench, Run, dict[str, Any]]:
    System([*FAILS]).join(bench)
    trial = bench.offering(carrying_out(counter.press, carries_out(counter.press, into="receipt", unknown="park")))
    return trial, await trial.accept({"account_id": "a"}), {"account_id": "b"}


CASES = pytest.mark.parametrize("case", [at_a_gate, in_doubt])
Case = Callable[[Bench], Awaitable[tuple[Bench, Run, dict[str, Any]]]]


async def waits(bench: Bench, run: Run) -> bool:
    """Whether everybody who has to know sees that the run's thread waits at it."""
    thread = await bench.rows("SELECT status FROM thread WHERE id = %s", run.thread_id)
    parked = await bench.rows("SELECT id FROM standing_run WHERE thread_id = %s AND parked", run.thread_id)
    asked = await bench.rows("SELECT id FROM approval WHERE thread_id = %s AND status = 'pending'", run.thread_id)
    doubts = await bench.rows("SELECT 1 FROM effect_shown WHERE thread_id = %s AND parked", run.thread_id)
    return (
        thread == [{"status": "interrupted"}]
        and [str(row["id"]) for row in parked] == [run.id]
        and asked + doubts != []
    )


@CASES
async def test_a_run_queued_behind_a_case_is_turned_away_and_the_case_waits_on(bench: Bench, case: Case) -> None:
    trial, run, value = await case(bench)
    behind = await trial.accept(value, thread_id=run.thread_id)
    await trial.go_on()

    assert ((await trial.again(behind)).error or {})["error"] == "gate_open"
    assert await waits(trial, run)

    await trial.engine.intake.cancel(run, ADA)

    assert (await trial.again(run)).outcome == "cancelled"
    assert not await waits(trial, run)


@CASES
async def test_a_run_taken_for_later_comes_and_goes_and_the_case_waits_on(bench: Bench, case: Case) -> None:
    trial, run, value = await case(bench)
    later = await trial.accept(value, thread_id=run.thread_id, after_s=3600.0)
    await trial.go_on()
    assert await waits(trial, run)

    await trial.engine.intake.cancel(later, BEN)

    assert await waits(trial, run)
    await trial.engine.intake.cancel(run, ADA)
    assert not await waits(trial, run)


@CASES
async def test_a_run_that_waits_for_somebody_is_not_deleted(bench: Bench, case: Case) -> None:
    trial, run, _ = await case(bench)
    await trial.go_on()

    async with trial.engine.database.transaction() as conn:
        with pytest.raises(ThreadBusy):
            await delete_run(conn, run, by="key:ada")
    await sweep(trial.engine.carrier, now=datetime.now(UTC) + timedelta(days=30))  # what waits for it still finds it

    ended = await trial.accept({"account_id": "c"}) if trial is not bench else await bench.open_case()
    await trial.engine.intake.cancel(ended, ADA)
    async with trial.engine.database.transaction() as conn:
        await delete_run(conn, ended, by="key:ada")
    with pytest.raises(NotFound):
        await trial.again(ended)


async def test_a_request_that_cannot_expire_keeps_no_other_from_it(bench: Bench) -> None:
    broken, _ = await bench.parked_case()
    whole, _ = await bench.parked_case()
    await bench.rows("UPDATE run SET deleted_at = now() WHERE id = %s", broken.id)

    await sweep(bench.engine.carrier, now=datetime.now(UTC) + timedelta(days=30))

    assert (await bench.request_of(broken)).status == "pending"
    assert (await bench.request_of(whole)).status == "expired"
