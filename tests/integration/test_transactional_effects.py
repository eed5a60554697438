"""Effects on our own records: they stand with their ledger row or not at all, and each system sees only its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.runtime import Runtime

from contracts.context import Context
from contracts.errors import ToolRefused
from contracts.records import Record
from contracts.tool import AnyTool, Call, tool
from nodes.effect import carries_out
from tests.effects import carrying_out, effect_of, end_of, heir_of
from tests.engines import Bench, fresh_bench, in_line, stage
from trials.counter import Count, Counted, tally
from trials.terms import terms

KEPT = "INSERT INTO tool_record VALUES (%s, %s, 'tally', %s, 1, '{\"numbers\": []}')"
TALLY = "SELECT version, value -> 'numbers' AS numbers FROM tool_record WHERE key = %s"


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


def doing(act: Callable[[Count, Call], Awaitable[Counted]], **contract: Any) -> AnyTool:
    """A transactional tool of the counter."""

    async def change(request: Count, call: Call) -> Counted:
        return await act(request, call)

    change.__module__ = tally.run.__module__
    facts: Any = {"effect": "transactional", "scopes": ("counter:count",), "timeout_s": 1, "target": "case"} | contract
    made: AnyTool = tool(**facts)(change)
    return made


def calling(bench: Bench, tool: AnyTool) -> Bench:
    return bench.offering(carrying_out(tool, carries_out(tool, into="receipt")))


async def records(bench: Bench) -> list[dict[str, Any]]:
    return await bench.rows("SELECT system, kind, key, value FROM tool_record ORDER BY key")


async def test_the_effect_and_its_ledger_row_are_one_transaction(bench: Bench) -> None:
    run = await calling(bench, tally).played({"account_id": "once"})

    row = await effect_of(bench, run)
    assert (row["state"], row["attempt"], row["started_at"]) == ("done", 1, row["finished_at"])
    assert await bench.rows(TALLY, "once") == [{"version": 1, "numbers": [1]}]
    changed = await bench.rows("SELECT updated_at FROM tool_record WHERE key = 'once'")
    assert changed == [{"updated_at": row["finished_at"]}], "now() is when a transaction began"


@pytest.mark.parametrize("dies", ["before", "after"])
async def test_a_worker_that_dies_leaves_all_of_it_or_nothing(bench: Bench, dies: str) -> None:
    deaths, key = [psycopg.OperationalError("gone")], f"dies {dies}"

    async def count(request: Count, call: Call) -> Counted:
        counted = await tally.run(request, call)
        if deaths and dies == "before":
            raise deaths.pop()
        return counted

    async def act(state: Any, runtime: Runtime[Context]) -> Any:
        update = await effect["action"](state, runtime)
        if deaths:
            raise deaths.pop()
        return update

    counting = doing(count)
    effect = carries_out(counting, into="receipt")
    trial = bench.offering(carrying_out(counting, {**effect, "action": act}))
    dead = await trial.played({"account_id": key})
    left = len(await bench.rows("SELECT 1 FROM effect WHERE thread_id = %s", dead.thread_id))
    ended = await heir_of(trial, dead)

    assert (dead.status, left) == ("running", 0 if dies == "before" else 1)
    assert await end_of(trial, ended) == ("done", "")
    assert await bench.rows(TALLY, key) == [{"version": 1, "numbers": [1]}]


async def add_and_refuse(request: Count, call: Call) -> Counted:
    await call.records.add("tally", request.case, {})
    raise ToolRefused("no")


async def add_and_linger(request: Count, call: Call) -> Counted:
    await call.records.add("tally", request.case, {})
    await asyncio.sleep(5)
    raise AssertionError


async def add_and_answer_nonsense(request: Count, call: Call) -> Counted:
    await call.records.add("tally", request.case, {})
    return Counted.model_validate({"nonsense": True})


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (add_and_refuse, "tool_refused"),
        (add_and_linger, "tool_unavailable"),
        (add_and_answer_nonsense, "tool_reply_invalid"),
    ],
)
async def test_what_fails_changes_nothing_and_says_so(bench: Bench, act: Any, code: str) -> None:
    trial = calling(bench, doing(act, timeout_s=0.3))

    run = await trial.played({"account_id": code})

    assert (run.status, await end_of(trial, run)) == ("success", ("refused", code))
    assert await bench.rows(TALLY, code) == []


async def test_a_tool_that_breaks_leaves_nothing_at_all(bench: Bench) -> None:
    async def add_and_break(request: Count, call: Call) -> Counted:
        await call.records.add("tally", request.case, {})
        raise KeyError("a fault in the tool")

    run = await calling(bench, doing(add_and_break)).played({"account_id": "broken"})

    assert (run.status, run.outcome) == ("error", "failed_safe")
    assert await bench.rows("SELECT 1 FROM effect WHERE thread_id = %s", run.thread_id) == []
    assert await bench.rows(TALLY, "broken") == []


async def test_a_transactional_tool_reaches_nothing_outside(bench: Bench) -> None:
    async def phone_home(request: Count, call: Call) -> Counted:
        await call.send("POST", "/anything")
        raise AssertionError

    run = await calling(bench, doing(phone_home)).played({"account_id": "outside"})

    assert (run.status, (run.error or {})["error"]) == ("error", "tool_not_granted")


async def test_forty_cases_count_in_one_tally(bench: Bench) -> None:
    trial = calling(bench, tally)
    runs = [await trial.accept({"account_id": "shared"}) for _ in range(40)]

    await asyncio.gather(*(trial.engine.carrier.advance(run.id) for run in runs))

    assert {(await trial.again(run)).outcome for run in runs} == {"completed"}
    assert await bench.rows(TALLY, "shared") == [{"version": 40, "numbers": [1] * 40}]


async def test_two_calls_that_lock_each_other_out_are_both_done(bench: Bench) -> None:
    first, turns = asyncio.Event(), iter([("x", "y"), ("y", "x")])

    async def count_twice(request: Count, call: Call) -> Counted:
        mine, theirs = orders.setdefault(call.idempotency_key, next(turns, ("x", "y")))
        for key in (mine, theirs):
            found = await call.records.find("tally", key) or await call.records.add("tally", key, {"numbers": []})
            await call.records.change(found, {"numbers": [*found.value["numbers"], 1]})  # type: ignore[misc]
            if key == "y" and mine == "y":
                first.set()
            elif key == mine:
                await first.wait()
        return Counted(case=request.case, number=1, times=1)

    orders: dict[str, tuple[str, str]] = {}
    trial = calling(bench, doing(count_twice, timeout_s=3))
    for key in "xy":
        await bench.rows(KEPT, "default", "counter", key)
    runs = [await trial.accept({"account_id": "deadlock"}) for _ in range(2)]
    await asyncio.gather(*(trial.engine.carrier.advance(run.id) for run in runs))

    assert [(await trial.again(run)).outcome for run in runs] == ["completed"] * 2
    assert [row["numbers"] for key in "xy" for row in await bench.rows(TALLY, key)] == [[1, 1], [1, 1]]


async def change_what_is_old(request: Count, call: Call) -> Counted:
    await call.records.change(Record("tally", request.case, 7, {}), {})
    raise AssertionError


async def add_what_is_there(request: Count, call: Call) -> Counted:
    await call.records.add("tally", request.case, {})
    await call.records.add("tally", request.case, {})
    raise AssertionError


async def remove_twice(request: Count, call: Call) -> Counted:
    kept = await call.records.add("tally", request.case, {})
    await call.records.remove(kept)
    assert await call.records.find("tally", request.case) is None
    await call.records.remove(kept)
    raise AssertionError


@pytest.mark.parametrize("act", [change_what_is_old, add_what_is_there, remove_twice])
async def test_records_are_changed_only_as_they_were_found(bench: Bench, act: Any) -> None:
    trial = calling(bench, doing(act))

    run = await trial.played({"account_id": act.__name__})

    assert await end_of(trial, run) == ("refused", "tool_refused")
    assert await bench.rows(TALLY, act.__name__) == []


async def test_a_read_finds_the_records_of_its_own_system_and_changes_none(bench: Bench) -> None:
    seen: list[Any] = []

    async def look(request: Count, call: Call) -> Counted:
        seen.append([await call.records.find("tally", key) for key in ("ours", "theirs", "strange")])
        if request.number == 2:
            await call.records.add("tally", request.case, {})
        return Counted(case=request.case, number=1, times=1)

    reading = doing(look, effect="read")

    async def read(state: Any, runtime: Runtime[Context]) -> dict[str, Any]:
        for number in (1, 2):
            await runtime.context.tools.call(reading, Count(case="read", number=number))
        return {}

    values = ("default", "counter", "ours"), ("default", "billing", "theirs"), ("other", "counter", "strange")
    for value in values:
        await bench.rows(KEPT, *value)
    policy = terms("Look.", tools=(reading,))
    trial = bench.offering(in_line(("look", stage(read, "read", reading)), policy=policy))
    run = await trial.played({"account_id": "a"})

    assert [record.key if record else None for record in seen[0]] == ["ours", None, None]
    assert (run.status, (run.error or {})["error"]) == ("error", "tool_not_granted")


WHO = "SELECT current_user AS role FROM (SELECT count(*) FROM tool_record) AS t"


async def test_a_tool_that_reads_may_change_nothing_and_sees_no_other_table(bench: Bench) -> None:
    database = bench.engine.database
    async with database.looking() as conn:
        found = await (await conn.execute(WHO)).fetchone()

    assert found == {"role": "gatehouse_reader"}
    for statement in (
        "DELETE FROM tool_record",
        "SELECT 1 FROM run",
        "SELECT 1 FROM api_key",
        "CREATE TABLE x (y int)",
    ):
        with pytest.raises(psycopg.errors.Error, match=r"permission denied|read-only"):
            async with database.looking() as conn:
                await conn.execute(statement.encode())
