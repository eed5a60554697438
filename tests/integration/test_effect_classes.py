"""Each class of effect: what its contract allows after a crash or a lost reply, and never more than that."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.errors import ConfigurationError
from contracts.tool import AnyTool
from engine.catalog.checks import check
from engine.runs.model import Run
from nodes.effect import carries_out
from tests.effects import (
    ACTS,
    ACTS_AND_DIES,
    ACTS_AND_FAILS,
    DIES,
    FAILS,
    IS_AWAY,
    REFUSES,
    System,
    carrying_out,
    effect_of,
    end_of,
    heir_of,
)
from tests.engines import Bench, fresh_bench
from trials import counter

ADD, ORDER, PRESS = counter.add, counter.order, counter.press
UNKNOWN = ("unknown", "tool_outcome_unknown")
DONE = ("done", "")


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture
def system(bench: Bench) -> System:
    system = System()
    system.join(bench)
    return system


def calling(bench: Bench, tool: AnyTool) -> Bench:
    return bench.offering(carrying_out(tool, carries_out(tool, into="receipt")))


@pytest.mark.parametrize(
    "row",
    [
        (ADD, DIES, DONE, ["POST", "POST"], 1),
        (ADD, ACTS_AND_DIES, DONE, ["POST", "POST"], 2),
        (ORDER, DIES, DONE, ["POST", "GET", "POST"], 1),
        (ORDER, ACTS_AND_DIES, DONE, ["POST", "GET"], 1),
        (PRESS, DIES, UNKNOWN, ["POST"], 0),
        (PRESS, ACTS_AND_DIES, UNKNOWN, ["POST"], 1),
    ],
)
async def test_a_call_whose_worker_died_is_recovered_by_its_class(bench: Bench, system: System, row: Any) -> None:
    tool, system.script[:], end, asked, acts = row
    trial = calling(bench, replace(tool, timeout_s=0.3))

    dead = await trial.played({"account_id": "a"})
    ended = await heir_of(trial, dead)

    assert (dead.status, ended.status) == ("running", "success")
    assert await end_of(trial, ended) == end
    assert system.asked == asked
    assert (len(system.acts), len(set(system.acts))) == (acts, min(acts, 1)), "a repeat has the key of the first"


@pytest.mark.parametrize(
    "row",
    [
        (ADD, ACTS_AND_FAILS, DONE, ["POST", "POST"], 2),
        (ADD, FAILS * 3, UNKNOWN, ["POST"] * 3, 0),
        (ADD, FAILS + REFUSES, UNKNOWN, ["POST"] * 2, 0),
        (ORDER, ACTS_AND_FAILS, DONE, ["POST", "GET"], 1),
        (ORDER, FAILS, DONE, ["POST", "GET", "POST"], 1),
        (ORDER, ACTS_AND_FAILS + IS_AWAY * 3, UNKNOWN, ["POST", "GET", "GET", "GET"], 1),
        (ORDER, ACTS_AND_FAILS + IS_AWAY, DONE, ["POST", "GET", "GET"], 1),
        (ORDER, FAILS + REFUSES, ("refused", "tool_refused"), ["POST", "GET"], 0),
        (ORDER, [*FAILS, *ACTS] * 3, UNKNOWN, ["POST", "GET"] * 3, 0),
        (ORDER, REFUSES, ("refused", "tool_refused"), ["POST"], 0),
        (PRESS, ACTS_AND_FAILS, UNKNOWN, ["POST"], 1),
        (PRESS, IS_AWAY + ACTS, DONE, ["POST"] * 2, 1),
    ],
)
async def test_a_lost_reply_is_found_out_by_the_class_of_its_tool(bench: Bench, system: System, row: Any) -> None:
    tool, system.script[:], end, asked, acts = row
    trial = calling(bench, replace(tool, settles_in_s=0.01) if tool.look_up else tool)

    run = await trial.played({"account_id": "a"})

    assert await end_of(trial, run) == end
    assert (system.asked, len(system.acts)) == (asked, acts)


async def test_a_call_is_not_repeated_when_its_key_may_be_forgotten(bench: Bench, system: System) -> None:
    system.script[:] = DIES
    trial = calling(bench, ADD)

    dead = await trial.played({"account_id": "a"})
    await bench.rows("UPDATE effect SET opened_at = now() - interval '25 hours' WHERE thread_id = %s", dead.thread_id)
    ended = await heir_of(trial, dead)

    assert await end_of(trial, ended) == UNKNOWN
    assert system.asked == ["POST"]
    assert "86400 s only" in (await effect_of(trial, ended))["error"]["detail"]


async def test_an_attempt_that_fails_late_does_not_make_the_retention_longer(bench: Bench, system: System) -> None:
    system.script[:] = DIES + DIES
    trial = calling(bench, ADD)

    dead = await trial.played({"account_id": "a"})
    await bench.rows("UPDATE effect SET opened_at = now() - interval '23 hours' WHERE thread_id = %s", dead.thread_id)
    dead = await heir_of(trial, dead)
    await bench.rows(
        "UPDATE effect SET opened_at = opened_at - interval '2 hours' WHERE thread_id = %s", dead.thread_id
    )
    ended = await heir_of(trial, dead)

    assert await end_of(trial, ended) == UNKNOWN
    assert system.asked == ["POST", "POST"]


async def test_a_look_up_waits_until_a_late_call_must_have_shown(bench: Bench, system: System) -> None:
    """Sent at the last moment allowed, answered at the last moment, settled at the last moment: then it is asked."""
    system.script[:] = ACTS_AND_DIES
    trial = calling(bench, replace(ORDER, timeout_s=0.5))
    waits_s = trial.engine.carrier.lease.send_within_s + 0.5 + ORDER.settles_in_s

    dead = await trial.played({"account_id": "a"})
    ended = await heir_of(trial, dead)

    row = await effect_of(trial, ended)
    assert (row["finished_at"] - row["started_at"]).total_seconds() >= waits_s


async def test_what_the_first_worker_says_late_counts_and_is_not_sent_again(bench: Bench, system: System) -> None:
    """The heir looks up and finds nothing; before it sends, the first worker records that it was done."""
    trial = calling(bench, ORDER)
    late: list[str] = []

    async def find(request: Any, call: Any) -> None:
        result = json.dumps({"case": "c", "number": 1, "times": 1})
        late.extend(str(row["call_key"]) for row in await bench.rows(
            "UPDATE effect SET state = 'done', result = %s WHERE idempotency_key = %s RETURNING call_key",
            result, call.idempotency_key,
        ))  # fmt: skip

    system.script[:] = FAILS
    trial = calling(bench, replace(ORDER, look_up=find, settles_in_s=0.01))
    run = await trial.played({"account_id": "a"})

    assert (len(late), system.asked) == (1, ["POST"])
    assert await end_of(trial, run) == DONE
    assert ((await trial.state(run))["receipt"] or {})["times"] == 1


async def found(bench: Bench, run: Run, event: str) -> list[dict[str, Any]]:
    return [data for kind, data in await bench.events(run) if kind == event]


async def test_every_attempt_and_its_end_is_on_record(bench: Bench, system: System) -> None:
    system.script[:] = FAILS
    trial = calling(bench, replace(ORDER, settles_in_s=0.01))

    run = await trial.played({"account_id": "a"})

    started, finished = await found(trial, run, "call.started"), await found(trial, run, "call.finished")
    assert [(s["attempt"], s["effect"]) for s in started] == [(1, "queryable"), (2, "queryable")]
    assert [(f["attempt"], f["state"]) for f in finished] == [(2, "done")]


async def other_request(request: httpx.Request, call: Any) -> None: ...


@pytest.mark.parametrize(
    ("tool", "problem"),
    [
        (replace(ORDER, look_up=None), "names no look_up"),
        (replace(ORDER, settles_in_s=0.0), "does not settle"),
        (replace(ORDER, settles_in_s=61.0), "does not settle"),
        (replace(ORDER, look_up=other_request), "takes another request"),
        (replace(PRESS, look_up=counter.find_order), "which nobody asks for"),
        (replace(ADD, key_retention_s=5.0), "drops repeats of a key for less"),
        (replace(counter.announce, key_retention_s=5.0), "drops repeats of a key for less"),
        (replace(counter.announce, reply=counter.Counted), "does not reply Accepted"),
        (replace(counter.tally, timeout_s=10.0), "may hold a transaction"),
    ],
)
def test_a_contract_that_could_not_be_kept_is_refused(tool: AnyTool, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        check(carrying_out(tool, carries_out(tool, into="receipt")))


@pytest.mark.parametrize("tool", [ADD, ORDER, PRESS, counter.announce, counter.tally])
def test_the_contracts_that_are_tried_here_are_accepted(tool: AnyTool) -> None:
    check(carrying_out(tool, carries_out(tool, into="receipt")))
