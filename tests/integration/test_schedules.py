"""What a worker does when schedules are due: one run for each time, whatever else happens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import StoreUnavailable
from engine.access.keys import LOCAL, Principal, create_key, revoke_key
from engine.assistants.model import system_assistant_id
from engine.audit.audit import chain
from engine.runs.model import Run
from engine.schedules.model import Plan, Schedule
from engine.schedules.schedules import change_schedule, create_schedule, get_schedule
from engine.worker.dispatchers import InlineDispatcher
from engine.worker.ticks import fire_due
from tests.cases import TWICE
from tests.engines import POLICY, TENANT, Bench, fresh_bench, in_line, stage

ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)
CLAIM: Any = {"input": {"complaint": TWICE, "account_id": "AC-70000000"}}


class _Unplugged(InlineDispatcher):
    async def enqueue(self, *_: Any, **__: Any) -> None:
        raise StoreUnavailable("gone")


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        async with bench.engine.database.transaction() as conn:
            await create_key(conn, "ada", ["caller"])
        yield bench


async def planned(bench: Bench, principal: Principal = ADA, **parts: Any) -> Schedule:
    """A schedule of every hour."""
    plan = Plan(cron="0 * * * *", assistant_id=system_assistant_id(bench.workflow), payload=CLAIM)
    async with bench.engine.database.transaction() as conn:
        return await create_schedule(conn, replace(plan, **parts), principal)


async def now_of(bench: Bench, schedule: Schedule) -> Schedule:
    async with bench.engine.database.transaction() as conn:
        return await get_schedule(conn, schedule.id, tenant=TENANT)


async def runs_of(bench: Bench, schedule: Schedule) -> list[Run]:
    return [Run.of(row) for row in await bench.rows("SELECT * FROM run WHERE metadata ->> 'cron_id' = %s", schedule.id)]


def when(schedule: Schedule, **later: float) -> datetime:
    assert schedule.next_run_at
    return schedule.next_run_at + timedelta(**later)


async def test_many_workers_make_one_run_of_each_time(bench: Bench) -> None:
    schedules = [await planned(bench) for _ in range(5)]
    now = when(schedules[0], seconds=1)

    await asyncio.gather(*(fire_due(bench.engine.intake, now=now) for _ in range(8)))
    await fire_due(bench.engine.intake, now=now)

    assert [len(await runs_of(bench, schedule)) for schedule in schedules] == [1] * 5


async def test_a_run_gets_what_the_schedule_says_of_it(bench: Bench) -> None:
    said = {"context": {"region": "eu"}, "interrupt_after": ["assess"], "stream_mode": "updates", "webhook": None}
    schedule = await planned(bench, payload=CLAIM | said | {"config": {"tags": ["nightly"]}}, metadata={"a": 1})

    await fire_due(bench.engine.intake, now=when(schedule, seconds=1))
    run = (await runs_of(bench, schedule))[0]

    assert (run.input, run.requester, run.stream_modes) == (CLAIM["input"], "key:ada", ("updates",))
    assert (run.options.context, run.options.interrupt_after) == ({"region": "eu"}, ("assess",))
    assert (run.options.config, run.metadata) == ({"tags": ["nightly"]}, {"a": 1, "cron_id": schedule.id})
    assert run.assistant_id == schedule.plan.assistant_id


async def test_times_that_were_missed_come_once(bench: Bench) -> None:
    schedule = await planned(bench)

    await fire_due(bench.engine.intake, now=when(schedule, hours=30, minutes=10))
    after = await now_of(bench, schedule)

    assert len(await runs_of(bench, schedule)) == 1
    assert after.next_run_at == when(schedule, hours=31)


async def test_nothing_comes_before_its_time(bench: Bench) -> None:
    schedule, off = await planned(bench), await planned(bench, enabled=False)

    await fire_due(bench.engine.intake, now=when(schedule, seconds=-1))

    assert await runs_of(bench, schedule) == await runs_of(bench, off) == []
    assert off.next_run_at is None


async def test_nothing_comes_after_the_end(bench: Bench) -> None:
    schedule = await planned(bench, end_at=datetime.now(UTC) + timedelta(hours=2))

    await fire_due(bench.engine.intake, now=when(schedule, hours=2))
    after = await now_of(bench, schedule)

    assert (await runs_of(bench, schedule), after.next_run_at) == ([], None)


async def test_a_time_is_not_lost_when_its_run_is_not_committed(bench: Bench) -> None:
    schedule = await planned(bench)
    unplugged = replace(bench.engine.intake, dispatcher=_Unplugged())

    with pytest.raises(StoreUnavailable):
        await fire_due(unplugged, now=when(schedule, seconds=1))
    between = await now_of(bench, schedule), await runs_of(bench, schedule)
    await fire_due(bench.engine.intake, now=when(schedule, seconds=3))

    assert between == (schedule, [])
    assert len(await runs_of(bench, schedule)) == 1


async def test_a_schedule_does_not_walk_around_a_gate(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    schedule = await planned(bench, thread_id=run.thread_id)

    await fire_due(bench.engine.intake, now=when(schedule, seconds=1))
    after = await now_of(bench, schedule)

    assert await runs_of(bench, schedule) == []
    assert after.last_error
    assert (after.last_error["error"], after.plan.enabled, after.next_run_at) == (
        "gate_open", True, when(schedule, hours=1),
    )  # fmt: skip


async def test_a_schedule_ends_with_its_thread(bench: Bench) -> None:
    run = await bench.open_case()
    schedule = await planned(bench, thread_id=run.thread_id)
    await bench.rows("UPDATE thread SET deleted_at = now() WHERE id = %s", run.thread_id)

    await fire_due(bench.engine.intake, now=when(schedule, seconds=1))
    after = await now_of(bench, schedule)

    assert after.last_error
    assert (after.last_error["error"], after.plan.enabled, after.next_run_at) == ("not_found", False, None)


async def test_a_schedule_ends_with_the_key_of_who_made_it(bench: Bench) -> None:
    async with bench.engine.database.transaction() as conn:
        await create_key(conn, "gone", ["caller"])
    schedule = await planned(bench, replace(ADA, name="key:gone"))
    async with bench.engine.database.transaction() as conn:
        await revoke_key(conn, "gone")

    await fire_due(bench.engine.intake, now=when(schedule, seconds=1))
    after = await now_of(bench, schedule)

    assert await runs_of(bench, schedule) == []
    assert after.last_error
    assert (after.last_error["error"], after.plan.enabled, after.next_run_at) == ("forbidden", False, None)


async def test_without_keys_a_schedule_of_this_machine_comes_until_there_are_keys(bench: Bench) -> None:
    first, second = await planned(bench, LOCAL), await planned(bench, LOCAL)
    await bench.rows("UPDATE api_key SET revoked_at = now()")

    await fire_due(bench.engine.intake, now=when(first, seconds=1))
    await bench.rows("UPDATE api_key SET revoked_at = NULL WHERE name = 'ada'")
    await fire_due(bench.engine.intake, now=when(second, hours=1, seconds=1))

    assert len(await runs_of(bench, first)) == len(await runs_of(bench, second)) == 1
    assert not (await now_of(bench, second)).plan.enabled


async def test_a_worker_without_the_workflow_leaves_it_to_others(bench: Bench) -> None:
    schedule = await planned(bench)
    other = bench.offering(in_line(("only", stage(lambda _: {})), policy=POLICY))

    await fire_due(other.engine.intake, now=when(schedule, seconds=1))
    between = await now_of(bench, schedule)
    await fire_due(bench.engine.intake, now=when(schedule, seconds=2))

    assert between == schedule
    assert len(await runs_of(bench, schedule)) == 1


async def test_runs_are_those_of_who_changed_the_schedule_last(bench: Bench) -> None:
    schedule = await planned(bench)
    async with bench.engine.database.transaction() as conn:
        await create_key(conn, "olu", ["operator"])
        olu = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)
        changed = await change_schedule(conn, schedule, schedule.plan, olu)

    await fire_due(bench.engine.intake, now=when(changed, seconds=1))

    assert [run.requester for run in await runs_of(bench, schedule)] == ["key:olu"]


async def test_everything_about_a_schedule_is_in_the_audit_trail(bench: Bench) -> None:
    schedule = await planned(bench)
    await fire_due(bench.engine.intake, now=when(schedule, seconds=1))
    run = (await runs_of(bench, schedule))[0]

    async with bench.engine.database.transaction() as conn:
        records = [link.record for link in await chain(conn, f"cron:{schedule.id}")]

    assert [record["event"] for record in records] == ["schedule.created", "schedule.fired"]
    assert records[1]["data"] == {"run_id": run.id}
