"""Runs that are cancelled, rolled back, crowded out: their threads go on, and nothing is left as it must not be."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import CannotRollBack, Forbidden, GatehouseError, NotFound, ThreadBusy
from engine.access.keys import Principal
from engine.runs.model import Cancellation, MultitaskStrategy, NewRun, NewThread, Run
from engine.runs.threads import create_thread
from engine.worker.worker import sweep
from tests.cases import TWICE
from tests.conftest import TRIALS
from tests.engines import TENANT, Bench, fresh_bench

ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)
WORDS: dict[str, Any] = {"text": "three blind mice"}


@pytest.fixture(scope="module")
async def disputes(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture(scope="module")
async def trials(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder, registry=TRIALS) as bench:
        yield replace(bench, workflow="three_stages")


async def new_thread(bench: Bench) -> str:
    async with bench.engine.database.transaction() as conn:
        return str((await create_thread(conn, NewThread(str(uuid.uuid4()), TENANT)))["id"])


async def ask(bench: Bench, thread_id: str, strategy: MultitaskStrategy, value: dict[str, Any], **more: Any) -> Run:
    new = NewRun(thread_id, TENANT, bench.workflow, ADA.name, value, multitask_strategy=strategy)
    return await bench.engine.intake.accept(replace(new, **more))


async def all_of(bench: Bench, thread_id: str) -> list[Any]:
    """Everything that a thread's state consists of, and its status."""
    names = ("checkpoints", "checkpoint_writes")
    rows = [await bench.rows(f"SELECT * FROM {n} WHERE thread_id = %s ORDER BY 1, 2, 3", thread_id) for n in names]  # type: ignore[arg-type]
    return [*rows, await bench.rows("SELECT status FROM thread WHERE id = %s", thread_id)]


async def test_a_rolled_back_run_leaves_no_trace_in_its_thread(disputes: Bench) -> None:
    first, _ = await disputes.parked_case()
    await disputes.go_on()
    await disputes.engine.intake.cancel(first, Cancellation(ADA.name))
    before = await all_of(disputes, first.thread_id)
    account = disputes.new_account()

    run = await ask(disputes, first.thread_id, "enqueue", {"complaint": TWICE, "account_id": account})
    await disputes.go_on()
    await disputes.engine.intake.cancel(run, Cancellation(ADA.name, "rollback"))

    assert await all_of(disputes, first.thread_id) == before
    with pytest.raises(NotFound):
        await disputes.again(run)


async def test_a_run_that_acted_is_not_rolled_back(disputes: Bench) -> None:
    run, request = await disputes.parked_case()
    leg = await disputes.approve(run)
    await disputes.go_on()
    ended = await disputes.again(leg)

    with pytest.raises((CannotRollBack, ThreadBusy)) as refused:
        await disputes.engine.intake.cancel(ended, Cancellation(ADA.name, "rollback"))

    assert refused.value.status == 409
    assert disputes.refunds(str(request.args["account_id"])) == [25_000]


async def test_a_thread_whose_waiting_run_was_cancelled_takes_a_new_case(disputes: Bench) -> None:
    run, _ = await disputes.parked_case()
    await disputes.engine.intake.cancel(run, Cancellation(ADA.name))
    account = disputes.new_account(amount_cents=2_000)

    again = await ask(disputes, run.thread_id, "enqueue", {"complaint": TWICE, "account_id": account})
    await disputes.go_on()

    assert (await disputes.again(again)).outcome == "completed"
    assert disputes.refunds(account) == [2_000]


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_thread_whose_answered_run_was_cancelled_takes_a_new_case(disputes: Bench, action: Any) -> None:
    run, request = await disputes.parked_case()
    leg = await disputes.approve(run)
    await disputes.engine.intake.cancel(leg, Cancellation(ADA.name, action))
    account = disputes.new_account(amount_cents=2_000)

    again = await ask(disputes, run.thread_id, "enqueue", {"complaint": TWICE, "account_id": account})
    await disputes.go_on()

    assert (await disputes.again(again)).outcome == "completed"
    assert disputes.refunds(str(request.args["account_id"])) == []
    assert disputes.refunds(account) == [2_000]


async def test_runs_of_all_strategies_at_once_leave_no_thread_busy(trials: Bench) -> None:
    thread_id = await new_thread(trials)
    strategies: list[MultitaskStrategy] = ["enqueue", "reject", "interrupt", "rollback"] * 5

    asked = (ask(trials, thread_id, strategy, WORDS) for strategy in strategies)
    told = await asyncio.gather(*asked, trials.go_on(), trials.go_on(), return_exceptions=True)
    await sweep(trials.engine.carrier)
    await trials.go_on()

    assert {type(t) for t in told if isinstance(t, BaseException)} <= {ThreadBusy}
    unfinished = "SELECT id FROM run WHERE thread_id = %s AND status IN ('pending', 'running')"
    assert await trials.rows(unfinished, thread_id) == []
    assert await trials.rows("SELECT status FROM thread WHERE id = %s", thread_id) == [{"status": "idle"}]
    assert (await ask(trials, thread_id, "reject", WORDS)).status == "pending"
    await trials.go_on()


async def test_a_caller_does_not_crowd_out_another_s_run(trials: Bench) -> None:
    thread_id = await new_thread(trials)
    run = await ask(trials, thread_id, "enqueue", WORDS, requester="key:ben")

    for strategy in ("interrupt", "rollback"):
        with pytest.raises(Forbidden):
            await ask(trials, thread_id, strategy, WORDS)  # type: ignore[arg-type]
    await trials.go_on()

    assert (await trials.again(run)).status == "success"


async def test_two_callers_who_make_the_same_thread_get_one(trials: Bench) -> None:
    new = NewThread(str(uuid.uuid4()), TENANT)

    async def make() -> str:
        async with trials.engine.database.transaction() as conn:
            return str((await create_thread(conn, new))["id"])

    made = await asyncio.gather(*(make() for _ in range(8)), return_exceptions=True)

    assert made.count(new.id) == 1
    assert {e.code for e in made if isinstance(e, GatehouseError)} == {"already_exists"}


async def test_new_input_that_was_asked_for_before_an_answer_does_not_discard_it(disputes: Bench) -> None:
    run = await disputes.open_case()
    claim = {"complaint": TWICE, "account_id": disputes.new_account()}
    early = await ask(disputes, run.thread_id, "enqueue", claim, after_s=3600.0)
    await disputes.go_on()
    await disputes.approve(run)
    await disputes.rows("UPDATE run SET start_at = now() WHERE id = %s", early.id)
    request = await disputes.request_of(run)

    await disputes.wake_ups.enqueue_lost(early.id)
    await disputes.go_on()

    assert (await disputes.again(early)).error is not None
    assert disputes.refunds(str(request.args["account_id"])) == [25_000]
