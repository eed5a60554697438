"""The gateway's own controls: each stops its attack, and where exactly it is taken away the attack succeeds."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime

from contracts.context import Context
from contracts.policy import Policy
from engine.runs.model import Run
from nodes.effect import carries_out
from nodes.waiting import approval_gate, proposes
from tests.engines import POLICY, Bench, Pay, fresh_bench, in_line, refund_draft, refused, stage
from tests.limits import READ, REFUND, budget, without
from tools import billing

pytestmark = pytest.mark.controls

GATE = ("gate", approval_gate(REFUND))
PAY = ("pay", carries_out(REFUND, into="receipt"))


async def read(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    await runtime.context.tools.call(READ, billing.ChargesRequest(account_id=state["account_id"]))
    return {}


async def pay(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    proposal = state["proposal"]
    assert proposal
    request = billing.RefundRequest.model_validate(proposal["args"])
    await runtime.context.tools.call(REFUND, request, request_id=proposal["request_id"])
    return {}


def freeze(amount_cents: int) -> tuple[str, Any]:
    return "freeze", proposes(REFUND, lambda state: refund_draft(state, amount_cents=amount_cents))


async def played(bench: Bench, *stages: tuple[str, Any], policy: Policy = POLICY) -> Run:
    trial = bench.offering(in_line(*stages, policy=policy))
    return await trial.played({"account_id": bench.new_account()})


async def a_tool_that_the_stage_was_not_given(bench: Bench) -> Run:
    return await played(bench, ("read", stage(read, "read")))


async def a_write_from_a_stage_that_reads(bench: Bench) -> Run:
    return await played(bench, freeze(5_000), GATE, ("pay", stage(pay, "read", REFUND)))


async def a_call_after_the_time_is_over(bench: Bench) -> Run:
    return await played(bench, ("read", stage(read, "read", READ)), policy=budget(seconds=0))


async def a_call_too_many(bench: Bench) -> Run:
    return await played(bench, ("read", stage(read, "read", READ)), policy=budget(tool_calls=0))


async def a_write_that_nobody_confirmed(bench: Bench) -> Run:
    wants = replace(POLICY, confirmed=(REFUND.name,))
    return await played(bench, freeze(5_000), GATE, ("pay", stage(pay, "effect", REFUND)), policy=wants)


async def between_plan_and_act(bench: Bench, change: str) -> Run:
    """A refund that finance has approved, and what happens before it is paid."""
    trial = bench.offering(in_line(freeze(25_000), GATE, ("pay", stage(pay, "effect", REFUND))))
    run = await trial.played({"account_id": bench.new_account()})
    leg = await trial.approve(run)
    await trial.rows(change.format(leg=leg.id))
    await trial.go_on()
    return leg


async def an_effect_of_an_edited_thread(bench: Bench) -> Run:
    return await between_plan_and_act(bench, "UPDATE run SET acts = false WHERE id = '{leg}'")


Attack = Callable[[Bench], Awaitable[Run]]
ATTACKS: dict[str, tuple[Attack, str]] = {
    "granted-to-stage": (a_tool_that_the_stage_was_not_given, "tool_not_granted"),
    "only-effects-write": (a_write_from_a_stage_that_reads, "tool_not_granted"),
    "seconds-of-run": (a_call_after_the_time_is_over, "budget_exceeded"),
    "calls-of-case": (a_call_too_many, "budget_exceeded"),
    "confirmed-by-requester": (a_write_that_nobody_confirmed, "not_confirmed"),
    "edited-threads-do-not-act": (an_effect_of_an_edited_thread, "bypass_refused"),
}


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def carried_out(bench: Bench, run: Run) -> int:
    rows = await bench.rows("SELECT call_key FROM effect WHERE run_id = %s AND state = 'done'", run.id)
    return len(rows)


@pytest.mark.parametrize(("attack", "code"), ATTACKS.values(), ids=ATTACKS)
async def test_the_control_stops_it(bench: Bench, attack: Attack, code: str) -> None:
    run = await attack(bench)

    assert await refused(bench, run) == code
    assert await carried_out(bench, run) == 0


@pytest.mark.parametrize(("control", "attack"), [(name, known[0]) for name, known in ATTACKS.items()], ids=ATTACKS)
async def test_without_exactly_this_control_it_succeeds(bench: Bench, control: str, attack: Attack) -> None:
    run = await attack(without(bench, control))

    assert (await bench.again(run)).status == "success"
    assert await carried_out(bench, run) == 1


async def test_every_control_of_the_gateway_has_such_a_test(bench: Bench) -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    named = {control.name for control in bench.engine.carrier.controls}

    assert {name for name in named if f'"{name}"' not in text and _class_of(name) not in text} == set()


def _class_of(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
