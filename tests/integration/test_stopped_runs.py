"""Runs that are cancelled, rolled back, crowded out: their threads go on, and nothing is left as it must not be."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime

from contracts.context import Context
from contracts.errors import CannotRollBack, Forbidden, GatehouseError, NotFound, ThreadBusy
from engine.access.keys import Principal
from engine.runs.model import Cancellation, MultitaskStrategy, NewRun, NewThread, Run, RunOptions
from engine.runs.runs import claim
from engine.runs.threads import create_thread
from engine.worker.worker import sweep
from nodes.waiting import approval_gate, proposes
from tests.cases import TWICE
from tests.conftest import TRIALS
from tests.engines import TENANT, Bench, fresh_bench, in_line, refund_draft, stage
from tools import billing

ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)
WORDS: dict[str, Any] = {"text": "three blind mice"}
BEHIND_THE_REFUND = RunOptions(interrupt_after=("pay_refund",))
PROPOSING: Any = (
    ("freeze", proposes(billing.issue_refund, lambda state: refund_draft(state, amount_cents=2_000))),
    ("gate", approval_gate(billing.issue_refund)),
)
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
WISH = "UPDATE run SET cancel_requested_by = 'key:ada', cancel_action = 'rollback' WHERE id = %s"


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


async def refusal(asked: Awaitable[Run]) -> type[GatehouseError] | None:
    """What it was refused as."""
    try:
        await asked
    except GatehouseError as error:
        return type(error)
    return None


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


async def acted(bench: Bench, **more: Any) -> tuple[Run, str]:
    """A run that has paid a small refund and stopped behind it, and whose account that was."""
    account = bench.new_account(amount_cents=2_000)
    value = {"complaint": TWICE, "account_id": account}
    run = await ask(bench, await new_thread(bench), "enqueue", value, options=BEHIND_THE_REFUND, **more)
    await bench.go_on()
    return await bench.again(run), account


async def test_a_run_that_acted_is_not_rolled_back(disputes: Bench) -> None:
    run, account = await acted(disputes)
    before = await all_of(disputes, run.thread_id)

    with pytest.raises(CannotRollBack) as refused:
        await disputes.engine.intake.cancel(run, Cancellation(ADA.name, "rollback"))

    assert (refused.value.code, refused.value.status) == ("cannot_roll_back", 409)
    assert await all_of(disputes, run.thread_id) == before
    assert (await disputes.again(run), disputes.refunds(account)) == (run, [2_000])
    await disputes.engine.intake.cancel(run, Cancellation(ADA.name))
    assert (await disputes.again(run)).outcome == "cancelled"


async def test_a_run_that_acted_and_ended_is_not_rolled_back_either(disputes: Bench) -> None:
    run, request = await disputes.parked_case()
    leg = await disputes.approve(run)
    await disputes.go_on()

    with pytest.raises(CannotRollBack):
        await disputes.engine.intake.cancel(await disputes.again(leg), Cancellation(ADA.name, "rollback"))

    assert (await disputes.again(leg)).outcome == "completed"
    assert disputes.refunds(str(request.args["account_id"])) == [25_000]


async def test_nobody_s_new_run_rolls_back_one_that_acted(disputes: Bench) -> None:
    told: list[Any] = []

    async def pay(state: Any, runtime: Runtime[Context]) -> dict[str, Any]:
        request = billing.RefundRequest.model_validate(state["proposal"]["args"])
        request_id = state["proposal"]["request_id"]
        receipt = await runtime.context.tools.call(billing.issue_refund, request, request_id=request_id)
        told.append(await refusal(ask(trial, runtime.context.case.thread_id, "rollback", {"account_id": account})))
        return {"receipt": receipt.model_dump(mode="json")}

    trial = disputes.offering(in_line(*PROPOSING, ("pay", stage(pay, "effect", billing.issue_refund))))
    account = disputes.new_account(amount_cents=2_000)
    run = await trial.played({"account_id": account})

    assert (told, run.outcome, disputes.refunds(account)) == ([CannotRollBack], "completed", [2_000])
    runs = await disputes.rows("SELECT id FROM run WHERE thread_id = %s", run.thread_id)
    assert len(runs) == 1


async def test_a_wish_to_cancel_a_run_that_is_carried_is_on_record_whatever_comes_of_it(trials: Bench) -> None:
    run = await ask(trials, await new_thread(trials), "enqueue", WORDS)
    async with trials.engine.database.reading() as conn:
        assert await claim(conn, run.id, owner="one", lease_s=60)

    await trials.engine.intake.cancel(run, Cancellation(ADA.name, "rollback"))

    assert ("run.cancel_asked", {"action": "rollback"}) in await trials.events(run)


async def test_a_run_that_acts_after_its_rollback_was_wished_for_is_only_stopped(disputes: Bench) -> None:
    async def pay(state: Any, runtime: Runtime[Context]) -> dict[str, Any]:
        request = billing.RefundRequest.model_validate(state["proposal"]["args"])
        request_id, run_id = state["proposal"]["request_id"], runtime.context.case.run_id
        await disputes.rows(WISH, run_id)
        await runtime.context.tools.call(billing.issue_refund, request, request_id=request_id)
        await disputes.rows("SELECT pg_notify('gatehouse_run', 'cancel:' || %s)", run_id)
        await asyncio.sleep(30)
        return {}

    trial = disputes.offering(in_line(*PROPOSING, ("pay", stage(pay, "effect", billing.issue_refund))))
    account = disputes.new_account(amount_cents=2_000)
    run = await trial.played({"account_id": account})

    assert (run.status, run.outcome, disputes.refunds(account)) == ("interrupted", "cancelled", [2_000])
    assert await disputes.rows("SELECT 1 AS kept FROM checkpoints WHERE thread_id = %s LIMIT 1", run.thread_id)


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


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_who_cancels_a_run_taken_for_later_closes_no_other_case_s_gate(disputes: Bench, action: Any) -> None:
    run = await disputes.open_case()
    value = {"complaint": TWICE, "account_id": disputes.new_account()}
    later = await ask(disputes, run.thread_id, "enqueue", value, after_s=3600.0)
    await disputes.go_on()

    await disputes.engine.intake.cancel(later, Cancellation(ADA.name, action))

    assert (await disputes.request_of(run)).status == "pending"
    leg = await disputes.approve(run)
    await disputes.go_on()
    assert (await disputes.again(leg)).outcome == "completed"


async def test_a_case_that_waits_is_cancelled_although_a_run_was_taken_for_later(disputes: Bench) -> None:
    run = await disputes.open_case()
    value = {"complaint": TWICE, "account_id": disputes.new_account()}
    later = await ask(disputes, run.thread_id, "enqueue", value, after_s=3600.0)
    await disputes.go_on()

    await disputes.engine.intake.cancel(run, Cancellation(ADA.name))

    assert (await disputes.request_of(run)).status == "cancelled"
    assert [(await disputes.again(r)).status for r in (run, later)] == ["interrupted", "pending"]


async def test_a_run_whose_request_cannot_be_asked_any_more_fails_and_frees_its_thread(disputes: Bench) -> None:
    async def withdraw(state: Any, runtime: Runtime[Context]) -> dict[str, Any]:
        await disputes.rows("UPDATE approval SET status = 'cancelled' WHERE id = %s", state["proposal"]["request_id"])
        return {}

    freeze, gate = proposes(billing.issue_refund, refund_draft), approval_gate(billing.issue_refund)
    trial = disputes.offering(in_line(("freeze", freeze), ("withdraw", stage(withdraw)), ("gate", gate)))
    run = await trial.played({"account_id": disputes.new_account()})

    assert (run.status, run.outcome) == ("error", "failed_safe")
    assert (run.error or {})["error"] == "digest_mismatch"
    assert await disputes.rows("SELECT status FROM thread WHERE id = %s", run.thread_id) == [{"status": "error"}]


async def test_of_two_runs_of_a_thread_whose_time_comes_at_once_one_is_taken(trials: Bench) -> None:
    thread_id, database = await new_thread(trials), trials.engine.database
    first = await ask(trials, thread_id, "enqueue", WORDS, after_s=3600.0)
    second = await ask(trials, thread_id, "enqueue", WORDS)

    async with database.transaction() as conn:
        assert await claim(conn, second.id, owner="one", lease_s=60)
        await trials.rows("UPDATE run SET start_at = now() WHERE id = %s", first.id)
        late = asyncio.create_task(trials.engine.carrier.advance(first.id))
        await trials.until(BLOCKED)
    await late

    assert [(await trials.again(r)).status for r in (first, second)] == ["pending", "running"]


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
