"""Caps of cases, workflows and days: reserved before the call, exact for all engines together, nothing leaks."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime

from contracts.context import Context
from contracts.policy import Cap
from engine.gateway.limits import takes_of
from engine.limits.report import Line, Wanted, caps_of
from engine.worker.janitor import Janitor, Keep
from nodes.effect import carries_out
from tests.conftest import Site, fresh_database
from tests.effects import ACTS_AND_DIES, FAILS, REFUSES, System, carrying_out, heir_of
from tests.engines import TENANT, Bench, Pay, bench_on, in_line, stage
from tests.limits import READ, budget, day, paying, problem_of, reading, together
from tools import billing
from trials import counter


@pytest.fixture(scope="module")
async def benches(postgres: str, folder: Path) -> AsyncIterator[tuple[Bench, Bench]]:
    """Two engines over one database, and worlds of which they share none."""
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "caps", folder / "unused")
        async with bench_on(site) as one, bench_on(site) as other:
            yield one, other


@pytest.fixture
async def bench(benches: tuple[Bench, Bench]) -> Bench:
    await benches[0].rows("TRUNCATE limit_use, held_call, rate_limit, breaker, kill_switch")
    return benches[0]


async def lines(bench: Bench, trial: Bench, case_id: str = "") -> dict[str, Line]:
    workflow = trial.engine.catalog[trial.workflow]
    async with bench.engine.database.reading() as conn:
        found = await caps_of(conn, [Wanted(workflow.name, workflow.policy.budget, case_id)], tenant=TENANT)
    return {f"{line.tool or 'all'} {line.unit}": line for line in found}


def counting(bench: Bench, system: System, tool: Any = counter.add, **limits: Any) -> Bench:
    system.join(bench)
    workflow = carrying_out(tool, carries_out(tool, into="receipt"))
    return bench.offering(replace(workflow, policy=replace(workflow.policy, budget=budget(**limits).budget)))


async def test_calls_that_together_exceed_a_cap_leave_exactly_those_that_fit(
    bench: Bench, benches: tuple[Bench, Bench]
) -> None:
    trials = [each.offering(paying(5_000, **day(money={"EUR": 12_000}))) for each in benches]
    accounts = [benches[n % 2].new_account() for n in range(6)]

    runs = await together(*trials, accounts=accounts)

    codes = sorted([await problem_of(trials[0], run) for run in runs])
    assert codes == ["", "", *["budget_exceeded"] * 4]
    assert sum(sum(benches[n % 2].refunds(account)) for n, account in enumerate(accounts)) == 10_000
    assert (await lines(bench, trials[0]))["all money:EUR"].left == 2_000


def test_a_sum_counts_the_same_as_a_decimal_string() -> None:
    lends = replace(counter.add, amount="number", currency="case")

    assert takes_of(lends, {"number": "12.50", "case": "EUR"}) == takes_of(lends, {"number": 1250, "case": "EUR"})


async def test_money_in_a_currency_that_nobody_named_is_not_spent(bench: Bench) -> None:
    trial = bench.offering(paying(5_000, **day(money={"USD": 1_000_000})))

    run = await trial.played({"account_id": bench.new_account()})

    assert await problem_of(trial, run) == "budget_exceeded"


@pytest.mark.parametrize("limit", [{"tools": {"billing.list_charges": Cap(tool_calls=2)}}, {"case": Cap(tool_calls=2)}])
async def test_a_case_uses_a_tool_as_often_as_its_cap_and_not_once_more(bench: Bench, limit: Any) -> None:
    accounts = [bench.new_account() for _ in range(3)]

    enough = bench.offering(reading(accounts[:2], **limit))
    fits = [await problem_of(enough, await enough.played({"account_id": "-"})) for _ in range(2)]
    trial = bench.offering(reading(accounts, **limit))
    exceeds = await problem_of(trial, await trial.played({"account_id": "-"}))

    assert (fits, exceeds) == (["", ""], "budget_exceeded")


async def test_what_was_refused_gives_its_money_back_and_its_calls_not(bench: Bench) -> None:
    system = System(script=[*REFUSES])
    lends = replace(counter.add, amount="number", currency="case")
    trial = counting(bench, system, lends, **day(money={"c": 100}, tool_calls=5))

    await trial.played({"account_id": "c"})
    shown = await lines(bench, trial)

    assert [(shown[u].spent, shown[u].reserved) for u in ("all money:c", "all tool_calls")] == [(0, 0), (1, 0)]


async def test_a_worker_that_dies_leaves_a_reservation_that_its_heir_settles(bench: Bench) -> None:
    system = System(script=[*ACTS_AND_DIES])
    lends = replace(counter.add, amount="number", currency="case", timeout_s=0.5)
    trial = counting(bench, system, lends, **day(money={"c": 100}, seconds=60))

    run = await trial.played({"account_id": "c"})
    held = await lines(bench, trial)
    await heir_of(trial, run)
    settled = await lines(bench, trial)

    assert (held["all money:c"].reserved, held["all ms"].reserved) == (1, 500)
    assert (settled["all money:c"].spent, settled["all money:c"].reserved) == (1, 0)
    assert settled["all ms"].spent < 500


async def test_what_nobody_knows_stays_reserved_until_a_person_has_found_out(bench: Bench) -> None:
    system = System(script=[*FAILS])
    pressed = replace(counter.press, amount="number", currency="case")
    trial = counting(bench, system, pressed, **day(money={"c": 100}))

    run = await trial.played({"account_id": "c"})
    held = (await lines(bench, trial))["all money:c"]
    await bench.rows("UPDATE effect SET state = 'resolved_not_done' WHERE run_id = %s", run.id)
    found = (await lines(bench, trial))["all money:c"]

    assert [(line.reserved, line.spent, line.left) for line in (held, found)] == [(1, 0, 99), (0, 0, 100)]


async def test_tomorrow_has_a_budget_of_its_own(bench: Bench) -> None:
    trial = bench.offering(paying(5_000, **day(money={"EUR": 5_000})))
    first = await trial.played({"account_id": bench.new_account()})
    second = await trial.played({"account_id": bench.new_account()})

    await bench.rows("UPDATE limit_use SET period = (now() - interval '1 day')::date::text")
    third = await trial.played({"account_id": bench.new_account()})

    assert [await problem_of(trial, run) for run in (first, second, third)] == ["", "budget_exceeded", ""]


async def test_so_many_calls_are_under_way_at_once_and_a_slot_is_free_again(bench: Bench) -> None:
    one = replace(counter.add, limits=replace(counter.add.limits, at_once=1))
    trial = counting(bench, System(), one)

    runs = [await trial.played({"account_id": "c"}) for _ in range(3)]

    assert [await problem_of(trial, run) for run in runs] == ["", "", ""]
    assert await bench.rows("SELECT used FROM limit_use WHERE unit = 'under_way'") == [{"used": 0}]


async def test_a_read_whose_run_ended_meanwhile_gives_its_place_back(bench: Bench) -> None:
    one = replace(READ, limits=replace(READ.limits, at_once=1))

    async def read(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        await runtime.context.tools.call(one, billing.ChargesRequest(account_id=state["account_id"]))
        return {}

    trial = bench.offering(in_line(("read", stage(read, "read", one)), policy=budget()))
    run = await trial.played({"account_id": bench.new_account()})
    await bench.rows("UPDATE effect SET state = 'started' WHERE run_id = %s", run.id)
    assert await bench.rows("SELECT used FROM limit_use WHERE unit = 'under_way'") == [{"used": 1}]

    swept = await Janitor(bench.engine.database, Keep()).clean()

    assert swept.limits == 1
    assert await bench.rows("SELECT used FROM limit_use WHERE unit = 'under_way'") == [{"used": 0}]


async def test_what_was_used_long_ago_is_forgotten_and_what_counts_is_not(bench: Bench) -> None:
    trial = counting(bench, System(), **day(tool_calls=5))
    await trial.played({"account_id": "c"})
    await bench.rows("INSERT INTO limit_use SELECT tenant, scope, '2020-01-01', unit, 9, '2020-01-01' FROM limit_use")

    swept = await Janitor(bench.engine.database, Keep()).clean()

    assert swept.limits == 1
    assert [row["used"] for row in await bench.rows("SELECT used FROM limit_use")] == [1]
