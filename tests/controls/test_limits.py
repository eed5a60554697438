"""What limits calls: each control stops its attack, and where exactly it is taken away the attack succeeds."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from contracts.context import Context
from contracts.errors import GatehouseError
from contracts.policy import Cap
from engine.access.keys import Principal
from engine.audit import audit
from engine.catalog.prompt import Prompt
from engine.catalog.workflow import Workflow, stages_of
from engine.gateway.limits import controls_with
from engine.limits.alarms import AlarmTerms
from engine.limits.switches import Scope, switch_off
from engine.limits.terms import LimitTerms
from nodes.effect import carries_out
from tests.effects import IS_AWAY, System, carrying_out
from tests.engines import TENANT, Bench, Pay, fresh_bench, in_line, stage
from tests.limits import READ, budget, day, paying, problem_of, reading, without
from tools import billing
from trials import counter

pytestmark = pytest.mark.controls
OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)
NEVER_OUT = {"prompts": {"chat": Prompt("chat", "any", 10, "Talk.")}, "stand_ins": {"chat": lambda _: {"text": "on"}}}


@pytest.fixture(scope="module")
async def whole(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder, breaker_failures=2, breaker_open_s=60) as bench:
        yield bench


@pytest.fixture
async def bench(whole: Bench) -> Bench:
    await whole.rows("TRUNCATE limit_use, held_call, rate_limit, breaker, kill_switch, refusal_count")
    return whole


async def kill(bench: Bench, scope: Scope, name: str) -> None:
    async with bench.engine.database.transaction() as conn:
        await switch_off(conn, scope, name, OLU, reason="a test")


@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("scope", ["tenant", "workflow", "run", "tool"])
async def test_what_is_switched_off_makes_no_further_call(bench: Bench, scope: Scope, removed: bool) -> None:
    reached = asyncio.Event(), asyncio.Event()

    async def read_twice(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        for account in (state["account_id"], "AC-1001"):
            await runtime.context.tools.call(READ, billing.ChargesRequest(account_id=account))
            reached[0].set()
            await reached[1].wait()
        return {}

    trial = bench.offering(in_line(("read", stage(read_twice, "read", READ))))
    trial = without(trial, "kill-switches") if removed else trial
    run = await trial.accept({"account_id": bench.new_account()})
    carried = asyncio.create_task(trial.engine.carrier.advance(run.id))
    await reached[0].wait()

    await kill(bench, scope, {"tenant": TENANT, "workflow": "trial", "run": run.id, "tool": READ.name}[scope])
    reached[1].set()
    await carried

    stopped = "tool_switched_off" if scope == "tool" else "switched_off"
    assert await problem_of(trial, run) == ("" if removed else stopped)
    assert (await trial.again(run)).outcome == ("completed" if removed else "failed_safe")


@pytest.mark.parametrize("removed", [False, True])
async def test_calls_that_together_pass_a_cap_are_not_made(bench: Bench, removed: bool) -> None:
    trial = bench.offering(paying(5_000, **day(money={"EUR": 9_999})))
    trial = without(trial, "budget-caps") if removed else trial
    accounts = [bench.new_account() for _ in range(3)]

    for account in accounts:
        await trial.played({"account_id": account})

    assert sum(sum(bench.refunds(account)) for account in accounts) == (15_000 if removed else 5_000)


@pytest.mark.parametrize("removed", [False, True])
async def test_a_flood_of_calls_is_held_to_its_rate(bench: Bench, removed: bool) -> None:
    trial = bench.offering(reading(["AC-1001"] * 4, per_minute=6, same_call=100))
    trial = without(trial, "rate-limits") if removed else trial

    run = await trial.played({"account_id": "-"})

    assert await problem_of(trial, run) == ("" if removed else "rate_limited")


@pytest.mark.parametrize("removed", [False, True])
async def test_a_system_that_fails_again_and_again_is_left_alone(bench: Bench, removed: bool) -> None:
    system = System(script=IS_AWAY * 30)
    system.join(bench)
    trial = bench.offering(carrying_out(counter.press, carries_out(counter.press, into="receipt")))
    trial = without(trial, "breakers") if removed else trial

    for _ in range(3):
        await trial.played({"account_id": "c"})

    assert len(system.asked) == (9 if removed else 6)


@pytest.mark.parametrize("removed", [False, True])
async def test_the_same_failing_call_is_made_three_times_and_not_again(bench: Bench, removed: bool) -> None:
    async def insist(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        codes = []
        for _ in range(5):
            try:
                await runtime.context.tools.call(READ, billing.ChargesRequest(account_id="AC-9999"))
            except GatehouseError as error:
                codes.append(error.code)
        return {"receipts": codes}

    trial = bench.offering(in_line(("insist", stage(insist, "read", READ)), policy=budget()))
    trial = without(trial, "repeats") if removed else trial

    run = await trial.played({"account_id": "-"})

    stopped = ["tool_refused"] * 5 if removed else ["tool_refused"] * 3 + ["repeated_failure"] * 2
    assert (await trial.state(run))["receipts"] == stopped


class Said(BaseModel):
    text: str


def without_end() -> Workflow:
    """A loop around a model that never comes to a conclusion; its graph forgot to count."""

    async def think(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        said = await runtime.context.models.ask("chat", Said)
        return {"receipts": [*state.get("receipts", []), said.value.text]}

    flow = StateGraph(Pay, context_schema=Context)
    flow.add_node("think", **stage(think, "model"))
    flow.add_edge(START, "think")
    flow.add_conditional_edges("think", lambda state: END if len(state["receipts"]) == 15 else "think", ["think", END])
    made: dict[str, Any] = {"version": "v1", "manifest": {}} | NEVER_OUT
    graph = flow.compile(name="trial")
    return Workflow(name="trial", graph=graph, policy=budget(), stages=stages_of(graph), **made)


@pytest.mark.parametrize("removed", [False, True])
async def test_a_loop_that_its_graph_forgot_to_bound_ends_after_ten_rounds(bench: Bench, removed: bool) -> None:
    trial = bench.offering(without_end())
    trial = without(trial, "loops") if removed else trial

    run = await trial.played({"account_id": "-"})

    assert len((await trial.state(run))["receipts"]) == (15 if removed else 10)
    assert await problem_of(trial, run) == ("" if removed else "loop_detected")
    assert (await trial.again(run)).outcome == ("completed" if removed else "handed_off")


@pytest.mark.parametrize("removed", [False, True])
async def test_a_read_that_finds_nothing_new_is_not_made_for_ever(bench: Bench, removed: bool) -> None:
    trial = bench.offering(reading(["AC-1001"] * 6, same_call=4))
    trial = without(trial, "repeats") if removed else trial

    run = await trial.played({"account_id": "-"})

    assert await problem_of(trial, run) == ("" if removed else "loop_detected")


async def test_a_cap_of_one_case_is_none_of_another(bench: Bench) -> None:
    trial = bench.offering(reading(["AC-1001"], case=Cap(tool_calls=1)))

    runs = [await trial.played({"account_id": "-"}) for _ in range(2)]

    assert [await problem_of(trial, run) for run in runs] == ["", ""]


@pytest.mark.parametrize("removed", [False, True])
async def test_a_workflow_that_is_refused_again_and_again_is_told_of(bench: Bench, removed: bool) -> None:
    limits = controls_with(LimitTerms(alarms=AlarmTerms(refusals=3)))
    carrier = replace(bench.engine.carrier, controls=limits)
    trial = replace(bench, engine=replace(bench.engine, carrier=carrier))
    trial = trial.offering(reading(["AC-1001"] * 2, case=Cap(tool_calls=1)))
    trial = without(trial, "alarms") if removed else trial
    before = await alarms_of(bench)

    for _ in range(4):
        await trial.played({"account_id": "-"})

    assert await alarms_of(bench) - before == (0 if removed else 1)


async def alarms_of(bench: Bench) -> int:
    async with bench.engine.database.reading() as conn:
        told = [link.record["event"] for link in await audit.chain(conn, f"switches:{TENANT}")]
    return told.count("alarm.raised")
