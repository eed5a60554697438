"""Effects of which nobody knows the outcome: a person finds out, once, and the case goes on with what they found."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from contracts.approval import JsonObject
from contracts.context import Context
from contracts.errors import (
    AlreadySettled,
    Forbidden,
    GatehouseError,
    GateOpen,
    InvalidDecision,
    InvalidRequest,
    NotFound,
    NothingToResume,
    ToolOutcomeUnknown,
    VersionChanged,
)
from engine.access.keys import Principal
from engine.catalog.versions import register_versions
from engine.gateway.outbox import Outbox
from engine.gateway.outcomes import Effect, EffectFilter, Resolution, get_effect, search_effects
from engine.runs.model import Cancellation, Run
from engine.worker.migration import Move
from nodes.effect import carries_out
from tests.effects import ACTS_AND_FAILS, FAILS, System, carrying_out, effect_of, end_of, heir_of, shown_by
from tests.engines import TENANT, Bench, fresh_bench, stage
from trials import counter

OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)
SUE = Principal("key:sue", frozenset({"reviewer"}), frozenset(), TENANT)
RECEIPT: JsonObject = {"case": "a", "number": 1, "times": 7}
HAPPENED, NOT, ABORT = Resolution("happened", RECEIPT, "seen"), Resolution("did_not_happen"), Resolution("abort")


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture
def system(bench: Bench) -> System:
    system = System([*ACTS_AND_FAILS])
    system.join(bench)
    return system


def calling(bench: Bench, unknown: Any = "park", tool: Any = counter.press) -> Bench:
    return bench.offering(carrying_out(tool, carries_out(tool, into="receipt", unknown=unknown)))


async def in_doubt(trial: Bench) -> tuple[Run, Effect]:
    """A case whose effect is of unknown outcome."""
    run = await trial.played({"account_id": "a"})
    row = await effect_of(trial, run)
    async with trial.engine.database.transaction() as conn:
        return run, await get_effect(conn, row["call_key"], tenant=TENANT)


async def settled(trial: Bench, effect: Effect, resolution: Resolution, person: Principal = OLU) -> Run:
    """The leg that goes on after a resolution, when it is over."""
    _, leg = await trial.engine.answers.settle(effect.call_key, resolution, person)
    assert leg
    await trial.go_on()
    return await trial.again(leg)


async def thread_status(bench: Bench, run: Run) -> str:
    (row,) = await bench.rows("SELECT status FROM thread WHERE id = %s", run.thread_id)
    return str(row["status"])


async def test_a_case_that_hands_off_leaves_the_effect_to_be_settled_later(bench: Bench, system: System) -> None:
    trial = calling(bench, "hand_off")
    run, effect = await in_doubt(trial)

    found, leg = await trial.engine.answers.settle(effect.call_key, HAPPENED, OLU)

    assert (run.outcome, await end_of(trial, run)) == ("completed", ("resolved_done", "tool_outcome_unknown"))
    assert (effect.waits, leg, found.result, found.resolved_by, found.note) == (False, None, RECEIPT, "key:olu", "seen")


async def test_a_case_that_parks_waits_like_at_a_gate(bench: Bench, system: System) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)

    (shown,) = await shown_by(trial, run)
    with pytest.raises(GateOpen, match="what became of an effect"):
        await trial.accept({"account_id": "a"}, thread_id=run.thread_id)

    assert (run.status, run.outcome, effect.waits) == ("interrupted", None, True)
    assert await thread_status(bench, run) == "interrupted"
    assert (shown["kind"], shown["call_key"], shown["args"]) == ("unknown_effect", effect.call_key, effect.args)
    assert "outcome.asked" in [event for event, _ in await trial.events(run)]


@pytest.mark.parametrize(
    ("resolution", "end", "asked", "times"),
    [
        (HAPPENED, ("resolved_done", ""), 1, 7),
        (NOT, ("done", ""), 2, 2),
        (ABORT, ("refused", "tool_refused"), 1, None),
    ],
)
async def test_a_parked_case_goes_on_with_what_was_found(
    bench: Bench, system: System, resolution: Resolution, end: Any, asked: int, times: int | None
) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)

    leg = await settled(trial, effect, resolution)

    assert (leg.status, leg.outcome, leg.case_id) == ("success", "completed", run.case_id)
    assert (await end_of(trial, leg), len(system.asked)) == (end, asked)
    assert ((await trial.state(leg)).get("receipt") or {}).get("times") == times


async def test_a_second_attempt_may_end_in_doubt_again(bench: Bench, system: System) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)
    system.script[:] = FAILS * 2

    again = await settled(trial, effect, NOT)
    once_more = await settled(trial, effect, NOT)
    last = await settled(trial, effect, HAPPENED)

    assert [(leg.status, leg.outcome) for leg in (again, once_more)] == [("interrupted", None)] * 2
    assert (last.outcome, await end_of(trial, last)) == ("completed", ("resolved_done", ""))
    assert len(system.asked) == 3
    assert len(await bench.rows("SELECT 1 FROM run WHERE thread_id = %s", run.thread_id)) == 4


async def test_a_new_attempt_whose_worker_dies_is_in_doubt_again(bench: Bench, system: System) -> None:
    trial = calling(bench)
    _, effect = await in_doubt(trial)
    system.script[:] = [psycopg.OperationalError("gone")]

    dead = await settled(trial, effect, NOT)
    parked = await heir_of(trial, dead)
    last = await settled(trial, effect, HAPPENED)

    assert [leg.status for leg in (dead, parked, last)] == ["running", "interrupted", "success"]
    assert (len(system.asked), await end_of(trial, last)) == (2, ("resolved_done", ""))


async def test_the_answer_of_an_effect_counts_as_the_ledger_has_it(bench: Bench, system: System) -> None:
    """A worker that dies after the resolution leaves nothing to the answer it was woken with."""
    trial = calling(bench)
    _, effect = await in_doubt(trial)
    _, leg = await trial.engine.answers.settle(effect.call_key, HAPPENED, OLU)
    assert leg
    await bench.rows("UPDATE run SET status = 'running', attempts = 1, epoch = 1 WHERE id = %s", leg.id)

    ended = await heir_of(trial, leg)

    assert (ended.outcome, await end_of(trial, ended)) == ("completed", ("resolved_done", ""))


async def test_of_many_resolutions_one_wins_and_the_others_hear_which(bench: Bench, system: System) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)
    attempts = [trial.engine.answers.settle(effect.call_key, r, p) for r in (NOT, HAPPENED, ABORT) for p in (OLU, SUE)]

    ends = await asyncio.gather(*attempts, return_exceptions=True)
    await trial.go_on()

    won = [end for end in ends if isinstance(end, tuple)]
    lost = [end for end in ends if isinstance(end, AlreadySettled)]
    assert (len(won), len(lost)) == (1, 5)
    winner = {"resolved_by": won[0][0].resolved_by, "outcome": won[0][0].resolution, "state": won[0][0].state}
    assert [end.facts["winner"] for end in lost] == [winner] * 5
    assert len(await bench.rows("SELECT 1 FROM run WHERE thread_id = %s", run.thread_id)) == 2
    records = [data["by"] for event, data in await trial.events(run) if event == "call.resolved"]
    assert records == [winner["resolved_by"]]


CALLER = Principal("key:ben", frozenset({"caller"}), frozenset(), TENANT)
REQUESTER = Principal("key:ada", frozenset({"operator", "reviewer"}), frozenset(), TENANT)
STRANGER = Principal("key:eve", frozenset({"operator"}), frozenset(), "another tenant")


@pytest.mark.parametrize(
    ("person", "resolution", "error"),
    [
        (CALLER, NOT, Forbidden),
        (REQUESTER, NOT, Forbidden),
        (STRANGER, NOT, NotFound),
        (OLU, Resolution("happened"), InvalidRequest),
        (OLU, Resolution("happened", {**RECEIPT, "more": 1}), InvalidRequest),
        (OLU, Resolution("did_not_happen", RECEIPT), InvalidRequest),
    ],
)
async def test_a_resolution_that_may_not_be_changes_nothing(
    bench: Bench, system: System, person: Principal, resolution: Resolution, error: type[GatehouseError]
) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)

    with pytest.raises(error):
        await trial.engine.answers.settle(effect.call_key, resolution, person)

    assert ((await effect_of(trial, run))["state"], await thread_status(bench, run)) == ("unknown", "interrupted")


async def test_an_effect_whose_end_is_known_is_not_resolved(bench: Bench, system: System) -> None:
    system.script.clear()
    trial = calling(bench)
    run, effect = await in_doubt(trial)

    with pytest.raises(AlreadySettled, match="known: done"):
        await trial.engine.answers.settle(effect.call_key, NOT, OLU)

    assert run.outcome == "completed"


async def test_a_result_of_another_version_of_the_tool_is_refused(bench: Bench, system: System) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)
    await bench.rows("UPDATE effect SET tool_version = 'older' WHERE thread_id = %s", run.thread_id)

    with pytest.raises(InvalidRequest, match="version older"):
        await trial.engine.answers.settle(effect.call_key, HAPPENED, OLU)


async def test_a_parked_case_is_resumed_by_command_like_any_other(bench: Bench, system: System) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)
    interrupt_id = str(effect.interrupt_id)

    with pytest.raises(InvalidDecision):
        await trial.engine.answers.resume(run.thread_id, {interrupt_id: "yes"}, OLU)
    leg = await trial.engine.answers.resume(run.thread_id, {interrupt_id: {"outcome": "abort", "note": "no"}}, OLU)
    await trial.go_on()
    with pytest.raises((AlreadySettled, NothingToResume)):
        await trial.engine.answers.resume(run.thread_id, {interrupt_id: {"outcome": "abort"}}, OLU)

    assert await end_of(trial, leg) == ("refused", "tool_refused")


async def test_a_cancelled_case_waits_no_more_and_its_effect_can_still_be_settled(bench: Bench, system: System) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)
    await trial.engine.intake.cancel(run, Cancellation("key:ada"))

    found, leg = await trial.engine.answers.settle(effect.call_key, HAPPENED, OLU)

    assert (found.state, found.waits, leg) == ("resolved_done", False, None)
    assert await thread_status(bench, run) == "idle"


async def test_who_finds_out_before_the_case_has_parked_makes_it_go_on(bench: Bench, system: System) -> None:
    legs: list[Run | None] = []

    async def act(state: Any, runtime: Runtime[Context]) -> dict[str, Any]:
        proposal, context = state["proposal"], runtime.context
        request = counter.Count.model_validate(proposal["args"])
        try:
            receipt = await context.tools.call(counter.press, request, request_id=proposal["request_id"])
        except ToolOutcomeUnknown:
            shown = await context.gates.doubt(proposal["request_id"])
            legs.append((await trial.engine.answers.settle(str(shown["call_key"]), HAPPENED, OLU))[1])
            interrupt(shown)
            raise
        return {"receipt": receipt.model_dump(mode="json")}

    trial = bench.offering(carrying_out(counter.press, stage(act, "effect", counter.press)))
    run = await trial.played({"account_id": "a"})

    ends = await bench.rows("SELECT status, outcome FROM run WHERE thread_id = %s ORDER BY seq", run.thread_id)
    assert (legs, await end_of(trial, run)) == ([None], ("resolved_done", ""))
    assert [tuple(end.values()) for end in ends] == [("interrupted", None), ("success", "completed")]


async def test_an_outbox_call_that_did_not_happen_is_sent_again_by_the_workers(bench: Bench, system: System) -> None:
    trial = calling(bench, tool=counter.announce)
    outbox = Outbox(bench.engine.database, trial.engine.catalog, bench.engine.carrier.systems)
    system.script[:] = [*FAILS]
    run = await trial.played({"account_id": "a"})
    await outbox.deliver_due()
    late = "UPDATE effect SET due_at = now(), started_at = now() - interval '25 hours' WHERE run_id = %s"
    await bench.rows(late, run.id)
    await outbox.deliver_due()
    async with bench.engine.database.transaction() as conn:
        (effect,) = await search_effects(conn, EffectFilter(thread_id=run.thread_id), tenant=TENANT)
    system.script.clear()

    found, leg = await trial.engine.answers.settle(effect.call_key, NOT, OLU)
    await outbox.deliver_due()

    assert (effect.state, found.state, leg) == ("unknown", "started", None)
    assert ((await effect_of(trial, run))["state"], len(system.acts)) == ("done", 1)


async def test_the_versions_of_a_tool_do_not_matter_to_who_says_no(bench: Bench, system: System) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)
    await bench.rows("UPDATE effect SET tool_version = 'older' WHERE thread_id = %s", run.thread_id)

    leg = await settled(trial, effect, ABORT)

    assert (leg.outcome, await end_of(trial, leg)) == ("completed", ("refused", "tool_refused"))


async def test_a_case_in_doubt_is_moved_to_another_version_and_goes_on_with_what_was_found(
    bench: Bench, system: System
) -> None:
    trial = calling(bench)
    run, effect = await in_doubt(trial)
    newer = trial.offering(replace(trial.engine.catalog[trial.workflow], version="v2"))
    async with bench.engine.database.transaction() as conn:
        await register_versions(conn, trial.engine.catalog)
        await register_versions(conn, newer.engine.catalog)

    with pytest.raises(VersionChanged):
        await newer.engine.answers.settle(effect.call_key, HAPPENED, OLU)
    await newer.engine.migrator.migrate(run, Move("v1", "v2", "key:olu", "it is better"))
    leg = await settled(newer, effect, HAPPENED)

    assert (leg.version, leg.outcome, await end_of(newer, run)) == ("v2", "completed", ("resolved_done", ""))
