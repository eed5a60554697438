"""Rates over HTTP and between processes, breakers that close again, and alarms of what is out of the ordinary."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import SwitchedOff, TooManyRequests
from contracts.policy import Cap
from engine.access.keys import Principal
from engine.audit import audit
from engine.gateway.limits import Alarms
from engine.limits.alarms import AlarmTerms
from engine.limits.callers import Callers
from engine.limits.facts import spent_facts
from engine.limits.rates import Rate, take
from engine.limits.terms import LimitTerms
from nodes.effect import carries_out
from tests.conftest import Site, fresh_database
from tests.effects import IS_AWAY, System, carrying_out
from tests.engines import TENANT, Bench, bench_on
from tests.limits import day, paying, problem_of, reading
from trials import counter

ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)


@pytest.fixture(scope="module")
async def benches(postgres: str, folder: Path) -> AsyncIterator[tuple[Bench, Bench]]:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "rates", folder / "unused")
        more: dict[str, Any] = {"breaker_failures": 1, "breaker_open_s": 60}
        async with bench_on(site, **more) as one, bench_on(site, **more) as other:
            yield one, other


@pytest.fixture
async def bench(benches: tuple[Bench, Bench]) -> Bench:
    await benches[0].rows("TRUNCATE limit_use, held_call, rate_limit, breaker, kill_switch, known_use, refusal_count")
    return benches[0]


async def taken(bench: Bench, rate: Rate) -> float:
    async with bench.engine.database.reading() as conn:
        return await take(conn, rate)


async def told(bench: Bench, stream: str) -> list[str]:
    async with bench.engine.database.reading() as conn:
        return [link.record["event"] for link in await audit.chain(conn, stream)]


async def test_two_engines_that_hammer_one_limit_never_pass_it(bench: Bench, benches: tuple[Bench, Bench]) -> None:
    rate = Rate("hammered", 60, TENANT)

    waits = await asyncio.gather(*(taken(benches[n % 2], rate) for n in range(40)))

    assert waits.count(0) == rate.burst == 10
    assert all(0 < wait <= rate.every_s for wait in waits if wait)


async def test_in_any_minute_there_are_as_many_as_the_limit_says(bench: Bench) -> None:
    rate, made = Rate("steady", 6, TENANT), 0
    for _ in range(60):
        await bench.rows("UPDATE rate_limit SET free_at = free_at - interval '1 second'")
        made += await taken(bench, rate) == 0

    assert made in (5, 6)


async def test_a_caller_who_sends_too_much_is_told_when_to_come_again_and_recorded_once(bench: Bench) -> None:
    callers = Callers(bench.engine.database, per_caller=1, per_tenant=0)
    await callers.require_share(ADA)

    for _ in range(3):
        with pytest.raises(TooManyRequests) as refused:
            await callers.require_share(ADA)

    assert 0 < int(str(refused.value.facts["retry_after_s"])) <= 60
    assert (await told(bench, "access")).count("requests.limited") == 1


async def test_a_breaker_lets_one_call_try_and_closes_when_it_went_well(bench: Bench) -> None:
    system = System(script=IS_AWAY * 3)
    system.join(bench)
    trial = bench.offering(carrying_out(counter.press, carries_out(counter.press, into="receipt")))
    opened = await trial.played({"account_id": "c"})
    refused = await trial.played({"account_id": "c"})

    await bench.rows("UPDATE breaker SET open_until = now()")
    probe = await trial.played({"account_id": "c"})

    codes = [await problem_of(trial, run) for run in (opened, refused, probe)]
    assert codes == ["tool_unavailable", "circuit_open", ""]
    assert await bench.rows("SELECT * FROM breaker") == []
    assert await told(bench, f"breaker:{TENANT}:tool:counter.press") == ["breaker.opened", "breaker.closed"]


async def test_while_one_call_tries_whether_a_system_is_back_no_other_is_sent(
    bench: Bench, benches: tuple[Bench, Bench]
) -> None:
    system = System(script=IS_AWAY * 3)
    trials = []
    for each in benches:
        system.join(each)
        trials.append(each.offering(carrying_out(counter.press, carries_out(counter.press, into="receipt"))))
    await trials[0].played({"account_id": "c"})
    await bench.rows("UPDATE breaker SET open_until = now(), state = 'half_open'")
    await bench.rows("UPDATE breaker SET open_until = now() + interval '1 minute'")

    run = await trials[1].played({"account_id": "c"})

    assert (await problem_of(trials[1], run), len(system.asked)) == ("circuit_open", 3)


@pytest.mark.parametrize("quarantine", [False, True])
async def test_many_refusals_raise_one_alarm_and_may_stop_the_workflow(bench: Bench, quarantine: bool) -> None:
    trial = with_alarms(bench.offering(reading(["AC-1001"] * 2, case=Cap(tool_calls=1))), AlarmTerms(3, quarantine))
    before = (await told(bench, f"switches:{TENANT}")).count("alarm.raised")

    ended = []
    for _ in range(5):
        try:
            ended.append(await problem_of(trial, await trial.played({"account_id": "-"})))
        except SwitchedOff as error:
            ended.append(error.code)

    assert (await told(bench, f"switches:{TENANT}")).count("alarm.raised") == before + 1
    assert ended == ["budget_exceeded"] * 3 + ["switched_off" if quarantine else "budget_exceeded"] * 2


async def test_a_tool_that_a_workflow_never_used_raises_an_alarm_once_it_is_known(bench: Bench) -> None:
    trial = bench.offering(reading(["AC-1001"]))
    before = (await told(bench, f"switches:{TENANT}")).count("alarm.raised")
    await trial.played({"account_id": "-"})
    await bench.rows("UPDATE known_use SET first_at = now() - interval '2 days', stage = 'another'")

    await trial.played({"account_id": "-"})
    await trial.played({"account_id": "-"})

    assert (await told(bench, f"switches:{TENANT}")).count("alarm.raised") == before + 1


async def test_policy_is_told_what_was_spent(bench: Bench) -> None:
    workflow = paying(5_000, **day(money={"EUR": 12_000}))
    await bench.offering(workflow).played({"account_id": bench.new_account()})

    async with bench.engine.database.reading() as conn:
        budget = workflow.policy.budget
        facts = await spent_facts(conn, budget, "trial", "billing.issue_refund", str(uuid.uuid4()), tenant=TENANT)

    assert facts == {"host_spent_day_money_EUR": 5_000}


def with_alarms(bench: Bench, terms: AlarmTerms) -> Bench:
    carrier = bench.engine.carrier
    alarms = Alarms(LimitTerms(alarms=terms))
    controls = tuple(alarms if control.name == "alarms" else control for control in carrier.controls)
    return replace(bench, engine=replace(bench.engine, carrier=replace(carrier, controls=controls)))
