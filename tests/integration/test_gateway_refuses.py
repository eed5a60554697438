"""The gateway against somebody who is past the API: a careless author, a forged state, a repeated stage."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.runtime import Runtime
from pydantic import BaseModel, JsonValue

from contracts.context import Context
from contracts.policy import Budget, Policy, deny
from engine.catalog.prompt import Prompt
from engine.runs.model import Run
from evals.worlds.faults import Fault
from evals.worlds.sandbox import effects_of
from nodes.waiting import approval_gate, proposes
from tests.engines import (
    POLICY,
    Bench,
    Pay,
    fresh_bench,
    in_line,
    refund_args,
    refund_draft,
    refund_requests,
    refused,
    stage,
)
from tools import billing

REFUND, READ = billing.issue_refund, billing.list_charges
FREEZE = ("freeze", proposes(REFUND, refund_draft))
FREEZE_SMALL = ("freeze", proposes(REFUND, lambda state: refund_draft(state, amount_cents=5_000)))
GATE = ("gate", approval_gate(REFUND))


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def pay(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    """What an effect stage does."""
    proposal = state["proposal"]
    assert proposal
    request = billing.RefundRequest.model_validate(proposal["args"])
    receipt = await runtime.context.tools.call(REFUND, request, request_id=proposal["request_id"])
    return {"receipt": receipt.model_dump(mode="json"), "receipts": [*state.get("receipts", []), receipt.refund_id]}


async def pay_unasked(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    request = billing.RefundRequest.model_validate(refund_args(state["account_id"], amount_cents=5_000))
    await runtime.context.tools.call(REFUND, request)
    return {}


async def read(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    await runtime.context.tools.call(READ, billing.ChargesRequest(account_id=state["account_id"]))
    return {}


PAY = ("pay", stage(pay, "effect", REFUND))


def changing(**changes: JsonValue) -> tuple[str, Any]:
    """A stage that changes the arguments of the proposal."""

    async def change(state: Pay) -> dict[str, Any]:
        proposal = state["proposal"]
        assert proposal
        return {"proposal": {**proposal, "args": {**proposal["args"], **changes}}}

    return "change", stage(change)


@pytest.mark.parametrize(
    "stages",
    [
        [("pay", stage(pay_unasked, "effect", REFUND))],
        [FREEZE, PAY],
        [("freeze", proposes(REFUND, lambda state: refund_draft(state, amount_cents=25_000))), PAY, GATE],
    ],
    ids=["no proposal", "no gate", "gate too late"],
)
async def test_an_effect_that_nobody_approved_is_refused(bench: Bench, stages: Any) -> None:
    trial, account = bench.offering(in_line(*stages)), bench.new_account()

    run = await trial.played({"account_id": account})

    assert await refused(trial, run) == "approval_required"
    assert refund_requests(bench, account) == 0


@pytest.mark.parametrize("answer", ["reject", "respond"])
async def test_an_author_who_forgets_the_way_of_a_rejection_pays_nothing(bench: Bench, answer: str) -> None:
    trial, account = bench.offering(in_line(FREEZE, GATE, PAY)), bench.new_account()
    run = await trial.played({"account_id": account})

    leg = await trial.approve(run, {"type": answer, "message": "no"})
    await trial.go_on()

    assert await refused(trial, leg) == "approval_required"
    assert refund_requests(bench, account) == 0


async def test_an_action_that_policy_denies_is_refused_whoever_asks(bench: Bench) -> None:
    never = replace(POLICY, rules=(deny("never", REFUND.name, why="Not here."),))
    trial, account = bench.offering(in_line(FREEZE, GATE, PAY, policy=never)), bench.new_account()

    run = await trial.played({"account_id": account})

    assert await refused(trial, run) == "approval_required"
    assert refund_requests(bench, account) == 0


@pytest.mark.parametrize("change", [{"amount_cents": 88_888}, {"amount_cents": 1}, {"charge_id": "CH-1001-04"}])
async def test_a_call_that_was_changed_after_its_approval_is_refused(bench: Bench, change: Any) -> None:
    trial, account = bench.offering(in_line(FREEZE, GATE, changing(**change), PAY)), bench.new_account()
    run = await trial.played({"account_id": account})

    leg = await trial.approve(run)
    await trial.go_on()

    assert await refused(trial, leg) == "digest_mismatch"
    assert refund_requests(bench, account) == 0


async def test_a_small_approval_by_policy_does_not_cover_a_large_call(bench: Bench) -> None:
    trial = bench.offering(in_line(FREEZE_SMALL, GATE, changing(amount_cents=25_000), PAY))
    account = bench.new_account()

    run = await trial.played({"account_id": account})

    assert await refused(trial, run) == "digest_mismatch"
    assert refund_requests(bench, account) == 0


async def test_an_approval_is_consumed_by_one_call_and_repeats_get_its_result(bench: Bench) -> None:
    pay_again = ("pay_again", stage(pay, "effect", REFUND))
    trial, account = bench.offering(in_line(FREEZE_SMALL, PAY, pay_again)), bench.new_account()

    first = await trial.played({"account_id": account})
    later = bench.offering(in_line(PAY))
    second = await later.accept({"account_id": account}, thread_id=first.thread_id)
    await later.go_on()

    receipts = (await later.state(second))["receipts"]
    assert [run.status for run in (first, await later.again(second))] == ["success", "success"]
    assert (len(receipts), len(set(receipts))) == (3, 1)
    assert refund_requests(bench, account) == 1


async def test_one_approval_is_not_two_calls_at_the_same_time(bench: Bench) -> None:
    async def pay_twice(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        await asyncio.gather(pay(state, runtime), pay(state, runtime))
        return {}

    twice = ("pay_twice", stage(pay_twice, "effect", REFUND))
    trial, account = bench.offering(in_line(FREEZE_SMALL, twice)), bench.new_account()

    run = await trial.played({"account_id": account})

    # Where the first was over before the second began, the second gets its result.
    assert run.status == "success" or await refused(trial, run) == "divergent_execution"
    assert len(bench.refunds(account)) <= 1
    assert refund_requests(bench, account) <= 1


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (read, ("read", REFUND)),
        (read, ("code",)),
        (pay, ("effect", READ)),
        (pay, ("read", REFUND)),
        (pay, ("model", REFUND)),
        (pay, ("code",)),
    ],
    ids=[
        "a read",
        "a read in a code stage",
        "a write",
        "a write in a read stage",
        "in a model stage",
        "in a code stage",
    ],
)
async def test_a_stage_calls_only_the_tools_that_it_names_and_writes_only_as_an_effect(
    bench: Bench, action: Any, said: Any
) -> None:
    trial, account = bench.offering(in_line(FREEZE_SMALL, ("late", stage(action, *said)))), bench.new_account()

    run = await trial.played({"account_id": account})

    assert await refused(trial, run) == "tool_not_granted"
    assert [r.operation for r in effects_of(bench.worlds).requests if r.body.get("account_id") == account] == []


def budget(**limits: int) -> Policy:
    return replace(POLICY, budget=Budget(**({"tool_calls": 20, "model_calls": 5, "seconds": 60} | limits)))


def reading(times: int, *, dies_once: bool = False) -> tuple[str, Any]:
    """A stage that reads so many times; its first execution may lose its database at the end."""
    deaths = [psycopg.OperationalError("gone")] if dies_once else []

    async def many(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        for _ in range(times):
            await read(state, runtime)
        if deaths:
            raise deaths.pop()
        return {}

    return "many", stage(many, "read", READ)


async def lose_lease(bench: Bench, run: Run) -> None:
    """The worker is gone: its lease runs out and the run is woken again."""
    await bench.rows("UPDATE run SET lease_until = now() - interval '1 second' WHERE id = %s", run.id)
    await bench.wake_ups.enqueue_lost(run.id)
    await bench.go_on()


async def test_a_run_makes_as_many_tool_calls_as_its_budget_and_not_one_more(bench: Bench) -> None:
    account, policy = bench.new_account(), budget(tool_calls=3)

    enough = await bench.offering(in_line(reading(3), policy=policy)).played({"account_id": account})
    trial = bench.offering(in_line(reading(4), policy=policy))
    too_many = await trial.played({"account_id": account})

    assert enough.status == "success"
    assert await refused(trial, too_many) == "budget_exceeded"
    assert len([r for r in effects_of(bench.worlds).requests if r.body.get("account_id") == account]) == 6


async def test_calls_that_a_repeated_stage_made_before_are_not_counted_again(bench: Bench) -> None:
    trial = bench.offering(in_line(reading(3, dies_once=True), policy=budget(tool_calls=3)))
    account = bench.new_account()

    run = await trial.played({"account_id": account})
    assert run.status == "running"
    await lose_lease(trial, run)

    assert (await trial.again(run)).status == "success"
    assert len([r for r in effects_of(bench.worlds).requests if r.body.get("account_id") == account]) == 3


class Said(BaseModel):
    text: str


async def test_a_run_makes_as_many_model_calls_as_its_budget_and_not_one_more(bench: Bench) -> None:
    heard: list[str] = []

    async def chat(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        for _ in range(3):
            heard.append((await runtime.context.models.ask("chat", Said)).value.text)
        return {}

    parts = {"prompts": {"chat": Prompt("chat", "any", 10, "Talk.")}, "stand_ins": {"chat": lambda _: {"text": "hi"}}}
    trial = bench.offering(in_line(("chat", stage(chat, "model")), policy=budget(model_calls=2), **parts))

    run = await trial.played({"account_id": bench.new_account()})

    assert (run.status, (run.error or {})["error"], heard) == ("error", "budget_exceeded", ["hi", "hi"])


async def test_a_run_that_has_worked_too_long_calls_nothing_more(bench: Bench) -> None:
    async def linger(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        await asyncio.sleep(1.1)
        return await read(state, runtime)

    trial, account = (
        bench.offering(in_line(("linger", stage(linger, "read", READ)), policy=budget(seconds=1))),
        "AC-1001",
    )

    run = await trial.played({"account_id": account})

    assert await refused(trial, run) == "budget_exceeded"


async def test_a_repeated_stage_that_asks_for_something_else_is_stopped(bench: Bench) -> None:
    accounts = [bench.new_account(), bench.new_account()]

    async def fickle(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        await read({"account_id": accounts.pop(0)}, runtime)
        if accounts:
            raise psycopg.OperationalError("gone")
        return {}

    trial = bench.offering(in_line(("fickle", stage(fickle, "read", READ))))
    run = await trial.played({"account_id": "AC-1001"})
    await lose_lease(trial, run)

    assert await refused(trial, run) == "divergent_execution"


async def test_a_repeated_stage_that_proposes_something_else_is_stopped(bench: Bench) -> None:
    amounts = [25_000, 24_000]

    async def fickle(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        draft = refund_draft(state, amount_cents=amounts.pop(0))
        proposal = await runtime.context.gates.freeze(REFUND, draft)
        if amounts:
            raise psycopg.OperationalError("gone")
        return {"proposal": proposal}

    trial, account = (
        bench.offering(in_line(("fickle", stage(fickle, "proposal", REFUND)), GATE, PAY)),
        bench.new_account(),
    )
    run = await trial.played({"account_id": account})
    await lose_lease(trial, run)

    failed = await trial.again(run)
    assert (failed.status, (failed.error or {})["error"]) == ("error", "divergent_execution")
    assert refund_requests(bench, account) == 0


# --- what a failed call says of the world ---

SLOW, FAILS, REFUSES = (Fault(REFUND.name, kind, times) for kind, times in
                        (("slow", 1), ("acts_then_fails", 1), ("refuses", None)))  # fmt: skip


async def test_a_refused_repeat_does_not_make_an_unknown_outcome_a_refusal(postgres: str, folder: Path) -> None:
    async with fresh_bench(postgres, folder, {"fails": FAILS, "refuses": REFUSES}) as bench:
        run, request = await bench.parked_case()

        leg = await bench.approve(run)
        await bench.go_on()

        summary = str((await bench.state(run))["summary"])
        assert (await bench.again(leg)).outcome == "handed_off"
        assert "tool_outcome_unknown" in summary
        assert bench.refunds(str(request.args["account_id"])) == [25_000]


async def test_a_refused_repeat_after_a_crash_leaves_the_outcome_unknown(postgres: str, folder: Path) -> None:
    async with fresh_bench(postgres, folder, {"slow": SLOW, "refuses": REFUSES}) as bench:
        run, request = await bench.parked_case()
        leg = await bench.approve(run)
        work = asyncio.create_task(bench.go_on())
        await bench.until(f"SELECT 1 FROM effect WHERE approval_id = '{request.id}'")
        while not bench.refunds(str(request.args["account_id"])):  # noqa: ASYNC110  # the world tells nobody
            await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

        await lose_lease(bench, leg)

        rows = await bench.rows("SELECT state, attempt FROM effect WHERE approval_id = %s", request.id)
        assert rows == [{"state": "unknown", "attempt": 2}]
        assert "tool_outcome_unknown" in str((await bench.state(run))["summary"])
