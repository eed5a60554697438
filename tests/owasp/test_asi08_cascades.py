"""ASI08, cascading failures: what fails in one place fails there, once, and is not passed on or done twice."""

import asyncio
from typing import Any

import pytest

from contracts.errors import AlreadyDecided, NothingToResume
from engine.audit import audit
from nodes.effect import carries_out
from tests.effects import ACTS_AND_FAILS, IS_AWAY, System, carrying_out, effect_of
from tests.engines import TENANT, Bench, refund_requests
from tests.limits import problem_of
from tests.owasp.hijacked import played
from trials import counter

pytestmark = pytest.mark.owasp


def pressing(bench: Bench, script: list[Any]) -> tuple[Bench, System]:
    """A workflow that presses a button once, and the system that holds it."""
    system = System(script=list(script))
    system.join(bench)
    return bench.offering(carrying_out(counter.press, carries_out(counter.press, into="receipt"))), system


async def breaker_of(bench: Bench) -> list[str]:
    async with bench.engine.database.reading() as conn:
        return [link.record["event"] for link in await audit.chain(conn, f"breaker:{TENANT}:tool:counter.press")]


async def test_a_system_that_is_down_is_left_alone_until_it_is_back(bench: Bench) -> None:
    trial, system = pressing(bench, IS_AWAY * 6)
    known = len(await breaker_of(bench))
    failed = [await problem_of(trial, await trial.played({"account_id": "c"})) for _ in range(3)]
    asked = len(system.asked)

    await bench.rows("UPDATE breaker SET open_until = now()")
    back = await trial.played({"account_id": "c"})

    assert failed == ["tool_unavailable", "tool_unavailable", "circuit_open"]
    assert (asked, await problem_of(trial, back), len(system.acts)) == (6, "", 1)
    assert (await breaker_of(bench))[known:] == ["breaker.opened", "breaker.closed"]


async def test_a_tool_that_is_down_does_not_stop_another(bench: Bench) -> None:
    trial, _ = pressing(bench, IS_AWAY * 9)
    for _ in range(3):
        await trial.played({"account_id": "c"})

    run, request = await bench.parked_case()
    await bench.approve(run)
    await bench.go_on()

    assert bench.refunds(str(request.args["account_id"])) == [25_000]


async def test_a_wake_up_that_is_delivered_often_gives_one_effect(bench: Bench) -> None:
    run, request = await bench.parked_case()
    leg = await bench.approve(run)

    await asyncio.gather(*(bench.engine.carrier.advance(leg.id) for _ in range(4)))
    await bench.wake_ups.enqueue_lost(leg.id)
    await bench.go_on()

    assert refund_requests(bench, str(request.args["account_id"])) == 1
    finished = [data for event, data in await bench.events(run) if event == "call.finished"]
    assert [data["call_key"] for data in finished].count(f"approval:{request.id}") == 1


async def test_an_answer_that_is_delivered_twice_counts_once(bench: Bench) -> None:
    run, request = await bench.parked_case()
    await bench.approve(run)

    with pytest.raises((AlreadyDecided, NothingToResume)):
        await bench.approve(run)
    await bench.go_on()

    assert bench.refunds(str(request.args["account_id"])) == [25_000]


async def test_an_effect_of_which_nobody_knows_is_not_tried_again(bench: Bench) -> None:
    trial, system = pressing(bench, ACTS_AND_FAILS)

    run = await trial.played({"account_id": "c"})

    assert len(system.acts) == 1
    assert (await problem_of(trial, run), (await effect_of(trial, run))["state"]) == ("tool_outcome_unknown", "unknown")
    assert ("call.finished", "unknown") in [(event, data.get("state")) for event, data in await trial.events(run)]


@pytest.mark.parametrize("attack", ["flood-reads", "flood-refused-mail"])
async def test_a_loop_without_an_end_goes_to_a_person(bench: Bench, attack: str) -> None:
    outcome = await played(bench, attack)

    assert (outcome.harmful, outcome.outcome) == ((), "handed_off")
