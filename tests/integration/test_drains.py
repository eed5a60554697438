"""Which version a new run starts under, what stands on which, and a start without the stages at which cases stand."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.errors import NotFound, StageGone, VersionChanged, VersionDrained
from engine.access.keys import Principal
from engine.audit.verify import verify
from engine.catalog.versions import compare, drain, end_drain, left_behind, list_versions, require_standing_stages
from engine.runs.model import NewRun, NewThread, Run, RunOptions
from engine.runs.runs import lost_runs
from tests.engines import TENANT, Bench, fresh_bench, stage
from tests.releases import FREEZE, GATE, PAY, A, B, automatic, moved, release

OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)


@pytest.fixture
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def accepted(bench: Bench) -> Run:
    return await bench.accept({"account_id": bench.new_account()})


async def drained(bench: Bench, version: str, tenant: str = TENANT) -> None:
    async with bench.engine.database.transaction() as conn:
        await drain(conn, version, Principal("key:olu", OLU.roles, OLU.approver_roles, tenant), reason="a fault in it")


async def ended(bench: Bench, version: str) -> None:
    async with bench.engine.database.transaction() as conn:
        await end_drain(conn, version, OLU, reason="it was none")


async def start(bench: Bench) -> None:
    """The check that a server makes before it opens."""
    async with bench.engine.database.transaction() as conn:
        await require_standing_stages(conn, bench.engine.catalog)


async def test_a_run_that_has_not_begun_starts_under_what_is_loaded(bench: Bench) -> None:
    run = await accepted(await release(bench, A))
    newer = await release(bench, B)

    await newer.go_on()

    begun = await newer.again(run)
    assert (begun.version, begun.earlier_versions, begun.status) == (B, (), "interrupted")
    assert (await newer.request_of(run)).version == B
    assert {"from": A, "to": B, "reason": "it has not begun"} in [d for e, d in await newer.events(run)]


async def test_no_run_is_accepted_under_a_drained_version(bench: Bench) -> None:
    older, newer = await release(bench, A), await release(bench, B)
    await drained(bench, A)

    with pytest.raises(VersionDrained, match="a fault in it"):
        await accepted(older)

    assert (await accepted(newer)).version == B


async def test_a_drain_is_the_tenants_own(bench: Bench) -> None:
    older = await release(bench, A)

    await drained(bench, A, "another tenant")

    assert (await accepted(older)).version == A


@pytest.mark.parametrize("pinned", [A, B])
async def test_workers_of_a_drained_version_start_nothing(bench: Bench, pinned: str) -> None:
    older, newer = await release(bench, A), await release(bench, B)
    run = await accepted(older if pinned == A else newer)
    await drained(bench, A)

    await older.go_on()
    await older.rows("UPDATE run SET updated_at = now() - interval '1 minute'")

    async with bench.engine.database.transaction() as conn:
        assert await lost_runs(conn, loaded=[A]) == []
    assert (await older.again(run)).status == "pending"
    await newer.engine.carrier.advance(run.id)
    assert ((await newer.again(run)).version, (await newer.again(run)).status) == (B, "interrupted")


async def test_what_has_begun_under_a_drained_version_ends_there(bench: Bench) -> None:
    older = await release(bench, A)
    account = older.new_account()
    run = await older.played({"account_id": account})
    await drained(bench, A)

    await older.approve(run)
    await older.go_on()

    assert older.refunds(account) == [25_000]


async def test_runs_start_again_when_a_drain_has_ended(bench: Bench) -> None:
    older = await release(bench, A)
    run = await accepted(older)
    await drained(bench, A)
    await older.go_on()

    await ended(bench, A)
    await older.engine.carrier.advance(run.id)

    assert (await older.again(run)).status == "interrupted"
    with pytest.raises(NotFound):
        await ended(bench, A)


async def test_drains_are_on_record(bench: Bench) -> None:
    await release(bench, A)
    await drained(bench, A)
    await drained(bench, A)
    await ended(bench, A)

    rows = await bench.rows(
        "SELECT convert_from(canon, 'UTF8') AS said FROM audit_record WHERE stream LIKE 'version:%%'"
    )
    async with bench.engine.database.transaction() as conn:
        assert (await verify(conn)).intact
    assert [kind for row in rows for kind in ("drain_ended", "drained") if f'"version.{kind}"' in row["said"]] == [
        "drained",
        "drain_ended",
    ]


async def test_a_version_is_listed_with_what_stands_on_it(bench: Bench) -> None:
    older, newer = await release(bench, A), await release(bench, B)
    parked = [await older.played({"account_id": older.new_account()}) for _ in range(2)]
    leg = await older.approve(parked[0])
    await accepted(newer)
    await newer.engine.carrier.advance(leg.id)

    async with bench.engine.database.transaction() as conn:
        found = {v.digest: v for v in await list_versions(conn, newer.engine.catalog, tenant=TENANT)}
        others = await list_versions(conn, newer.engine.catalog, tenant="another tenant")

    assert [(v.active, v.parked, v.held, v.loaded) for v in (found[A], found[B])] == [(1, 1, 1, False), (1, 0, 0, True)]
    assert {(v.active, v.parked) for v in others} == {(0, 0)}


async def test_versions_are_compared_by_what_they_pin(bench: Bench) -> None:
    await release(bench, A)
    await release(bench, B, FREEZE, GATE, PAY, ("close", stage(lambda _: {})))

    async with bench.engine.database.transaction() as conn:
        found = await compare(conn, A, B)
        with pytest.raises(NotFound):
            await compare(conn, A, "unknown")

    assert [(d.part, d.before) for d in found] == [("stages/close", None)]


async def test_a_start_without_a_stage_at_which_a_case_waits_is_refused(bench: Bench) -> None:
    await (await release(bench, A)).played({"account_id": bench.new_account()})

    await start(await release(bench, B))
    with pytest.raises(StageGone, match="1 of 'trial' at 'gate'"):
        await start(await release(bench, B, FREEZE, ("other_gate", GATE[1]), PAY))


async def test_a_start_without_a_stage_at_which_an_unfinished_run_stands_is_refused(bench: Bench) -> None:
    older = await release(bench, A)
    run = await older.played({"account_id": older.new_account()})
    leg = await older.approve(run)
    with pytest.raises(StageGone, match="'gate'"):  # decided, and not gone on yet
        await start(await release(bench, B, FREEZE, PAY))

    await _stop_after_the_gate(older, leg)

    await start(await release(bench, B, FREEZE, PAY))
    with pytest.raises(StageGone, match="1 of 'trial' at 'pay'"):
        await start(await release(bench, B, FREEZE, GATE))


async def _stop_after_the_gate(bench: Bench, leg: Run) -> None:
    """As if the worker had died once the gate was passed and before the payment began."""
    await bench.go_on()
    newest = "(SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = %s)"
    for table in ("checkpoint_writes", "checkpoints"):
        await bench.rows(f"DELETE FROM {table} WHERE checkpoint_id = {newest}", leg.thread_id)
    await bench.rows("UPDATE run SET status = 'running', outcome = NULL WHERE id = %s", leg.id)


async def test_a_start_without_a_workflow_on_which_cases_stand_is_refused(bench: Bench) -> None:
    await (await release(bench, A)).played({"account_id": bench.new_account()})

    with pytest.raises(StageGone, match="'trial'"):
        await start(bench)


async def test_cases_that_are_over_ask_for_no_stage(bench: Bench) -> None:
    older = await release(bench, A)
    run = await older.played({"account_id": older.new_account()})
    await older.approve(run)
    await older.go_on()

    await start(bench)


async def test_settings_let_an_unfinished_run_go_on_where_its_stage_is_unchanged(bench: Bench) -> None:
    older = await release(bench, A)
    account = older.new_account()
    run = await older.played({"account_id": account})
    leg = await older.approve(run)
    newer = automatic(await release(bench, B))

    await newer.go_on()

    assert ((await newer.again(leg)).version, newer.refunds(account)) == (B, [25_000])


def stopping(bench: Bench) -> NewRun:
    """A run that is stopped before the stage `pay`."""
    before, value = RunOptions(interrupt_before=("pay",)), {"account_id": bench.new_account()}
    return NewRun(str(uuid.uuid4()), TENANT, bench.workflow, "key:ada", value, options=before)


async def test_a_case_that_was_stopped_before_a_stage_keeps_its_version_too(bench: Bench) -> None:
    older = await release(bench, A, ("pay", stage(lambda _: {"request_id": "begun"})))
    new = stopping(older)
    run = await older.engine.intake.accept(new, thread=NewThread(new.thread_id, TENANT))
    await older.go_on()
    newer = await release(bench, B, ("pay", stage(lambda _: {"request_id": "begun"})))
    further = replace(new, input=None, options=RunOptions())

    assert (await older.again(run)).stands_at == ("pay",)
    with pytest.raises(VersionChanged):
        await newer.engine.intake.accept(further)
    with pytest.raises(StageGone, match="'pay'"):
        await start(await release(bench, B, FREEZE, GATE))
    await moved(newer, await newer.again(run))
    await newer.engine.intake.accept(further)
    await newer.go_on()

    assert (await newer.state(run))["request_id"] == "begun"


async def test_a_stopped_case_goes_on_under_a_drained_version(bench: Bench) -> None:
    older = await release(bench, A, ("pay", stage(lambda _: {"request_id": "begun"})))
    new = stopping(older)
    await older.engine.intake.accept(new, thread=NewThread(new.thread_id, TENANT))
    await older.go_on()
    await drained(bench, A)

    leg = await older.engine.intake.accept(replace(new, input=None, options=RunOptions()))
    await older.go_on()

    assert (await older.again(leg)).status == "success"


async def test_a_start_says_what_it_leaves_behind(bench: Bench) -> None:
    older = await release(bench, A)
    await older.played({"account_id": older.new_account()})
    newer = await release(bench, B)

    async with bench.engine.database.transaction() as conn:
        said = [await left_behind(conn, of.engine.catalog) for of in (older, newer)]

    assert said == [
        [],
        [f"1 case(s) of 'trial' are pinned to version {A}, which is not loaded. See: gatehouse versions list"],
    ]
