"""Effects that are accepted first and delivered later: the stage does not wait, and the call is not forgotten."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from contracts.tool import Accepted
from engine.access.keys import create_key
from engine.catalog.catalog import Catalog
from engine.gateway.outbox import Outbox
from engine.runs.model import Cancellation, Run
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
)
from tests.engines import Bench, fresh_bench
from trials.counter import announce

DUE_NOW = "UPDATE effect SET due_at = now() WHERE due_at IS NOT NULL"


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench.offering(carrying_out(announce, carries_out(announce, into="receipt")))


@pytest.fixture
async def system(bench: Bench) -> System:
    await bench.rows("UPDATE effect SET due_at = NULL")
    system = System()
    system.join(bench)
    return system


def outbox_of(bench: Bench) -> Outbox:
    return Outbox(bench.engine.database, bench.engine.catalog, bench.engine.carrier.systems)


async def make_key(bench: Bench) -> None:
    """Where no key was ever made, nobody has signed in and everybody is this machine."""
    async with bench.engine.database.transaction() as conn:
        await create_key(conn, "ida", ["caller"])


async def delivered(bench: Bench, run: Run, *, times: int = 1) -> dict[str, Any]:
    """The ledger row after so many attempts to deliver, each when its time has come; a dead worker stops its own."""
    for _ in range(times):
        with contextlib.suppress(psycopg.OperationalError):
            await outbox_of(bench).deliver_due()
        await bench.rows(DUE_NOW)
    return await effect_of(bench, run)


async def test_the_stage_hears_that_the_call_is_accepted_before_anything_is_sent(bench: Bench, system: System) -> None:
    run = await bench.played({"account_id": "a"})

    row, receipt = await effect_of(bench, run), (await bench.state(run))["receipt"]
    assert (run.outcome, system.asked) == ("completed", [])
    assert (row["state"], row["attempt"], row["due_at"] is not None) == ("started", 0, True)
    assert receipt == Accepted(idempotency_key=row["idempotency_key"]).model_dump()


@pytest.mark.parametrize(
    ("script", "attempts", "state", "acts"),
    [
        (ACTS, 1, "done", 1),
        (IS_AWAY + FAILS, 3, "done", 1),
        (ACTS_AND_FAILS, 2, "done", 2),
        (DIES, 2, "done", 1),
        (ACTS_AND_DIES, 2, "done", 2),
        (IS_AWAY * 4, 4, "started", 0),
        (REFUSES, 1, "refused", 0),
        (IS_AWAY + REFUSES, 2, "refused", 0),
        (FAILS + REFUSES, 2, "unknown", 0),
        (DIES + IS_AWAY + REFUSES, 3, "unknown", 0),
    ],
)
async def test_a_call_is_sent_until_it_is_delivered_or_refused(
    bench: Bench, system: System, script: Any, attempts: int, state: str, acts: int
) -> None:
    run = await bench.played({"account_id": "a"})
    system.script[:] = script

    row = await delivered(bench, run, times=attempts + 2 if state != "started" else attempts)

    assert (row["state"], row["attempt"], len(system.asked)) == (state, attempts, attempts)
    assert (len(system.acts), len(set(system.acts))) == (acts, min(acts, 1))
    finished = [data["state"] for event, data in await bench.events(run) if event == "call.finished"]
    assert finished == ([] if state == "started" else [state])


async def test_for_somebody_whose_key_was_taken_meanwhile_nothing_is_sent(bench: Bench, system: System) -> None:
    run = await bench.played({"account_id": "a"})
    await bench.rows("UPDATE run SET requester = 'key:nobody' WHERE id = %s", run.id)
    await make_key(bench)

    row = await delivered(bench, run)

    assert (row["state"], row["error"]["code"], system.asked) == ("refused", "rights_missing", [])


async def test_what_is_not_delivered_while_its_key_is_remembered_is_a_persons(bench: Bench, system: System) -> None:
    run = await bench.played({"account_id": "a"})
    system.script[:] = FAILS * 9

    await delivered(bench, run)
    await bench.rows("UPDATE effect SET started_at = now() - interval '25 hours' WHERE run_id = %s", run.id)
    row = await delivered(bench, run)

    assert (row["state"], len(system.asked)) == ("unknown", 1)


async def test_what_waits_long_for_its_first_attempt_is_sent(bench: Bench, system: System) -> None:
    run = await bench.played({"account_id": "a"})
    await bench.rows("UPDATE effect SET started_at = started_at - interval '9 days' WHERE run_id = %s", run.id)

    assert (await delivered(bench, run))["state"] == "done"


async def test_pauses_between_attempts_grow(bench: Bench, system: System) -> None:
    run, pauses = await bench.played({"account_id": "a"}), []
    system.script[:] = IS_AWAY * 12

    for _ in range(12):
        await outbox_of(bench).deliver_due()
        row = await effect_of(bench, run)
        pauses.append(round((row["due_at"] - datetime.now(UTC)).total_seconds()))
        await bench.rows(DUE_NOW)

    assert pauses[:4] == [2, 4, 8, 16]
    assert pauses[-1] == 300


async def test_two_workers_do_not_send_the_same_call(bench: Bench, system: System) -> None:
    for _ in range(6):
        await bench.played({"account_id": "a"})

    await asyncio.gather(*(outbox_of(bench).deliver_due() for _ in range(4)))

    assert (len(system.asked), len(set(system.acts))) == (6, 6)


async def test_a_run_that_is_cancelled_does_not_take_its_letter_back(bench: Bench, system: System) -> None:
    run = await bench.played({"account_id": "a"})
    await bench.rows("UPDATE run SET status = 'running', lease_until = now() WHERE id = %s", run.id)
    await bench.engine.intake.cancel(await bench.again(run), Cancellation("key:ada"))
    await bench.wake_ups.enqueue_lost(run.id)
    await bench.go_on()

    assert (await bench.again(run)).outcome == "cancelled"
    assert (await delivered(bench, run))["state"] == "done"


async def test_a_worker_leaves_what_only_another_deployment_can_send(bench: Bench, system: System) -> None:
    run = await bench.played({"account_id": "a"})

    sent = await replace(outbox_of(bench), catalog=Catalog([])).deliver_due()

    assert (sent, system.asked) == (0, [])
    assert (await delivered(bench, run))["state"] == "done"


async def test_what_no_version_can_send_any_more_becomes_a_persons(bench: Bench, system: System) -> None:
    waiting, gone = [await bench.played({"account_id": "a"}) for _ in range(2)]
    late = "UPDATE effect SET tool_version = 'gone', due_at = now() - %s::interval WHERE run_id = %s"
    await bench.rows(late, "23 hours", waiting.id)
    await bench.rows(late, "25 hours", gone.id)

    await outbox_of(bench).deliver_due()
    await outbox_of(bench).hand_over_orphans()

    states = [(await effect_of(bench, run))["state"] for run in (waiting, gone)]
    assert (states, system.asked) == (["started", "unknown"], [])


async def test_a_tool_with_a_fault_holds_up_no_other_call(bench: Bench, system: System) -> None:
    runs = [await bench.played({"account_id": "a"}) for _ in range(3)]
    system.script[:] = [KeyError("a fault")]

    await delivered(bench, runs[0])
    first = [(await effect_of(bench, run))["state"] for run in runs]
    await delivered(bench, runs[0])

    assert sorted(first) == ["done", "done", "started"]
    assert {(await effect_of(bench, run))["state"] for run in runs} == {"done"}
