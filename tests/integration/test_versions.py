"""A case goes on under the version it is pinned to, or under another when somebody decided so and it stays the same."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime

from contracts.context import Context
from contracts.errors import NotCompatible, StageGone, VersionChanged
from contracts.policy import above, allow, deny, require_approval
from engine.access.keys import Principal
from engine.runs.model import Run
from engine.runs.runs import lost_runs
from engine.worker.migration import Move
from evals.worlds.faults import Fault
from evals.worlds.sandbox import effects_of
from nodes.waiting import approval_gate
from tests.engines import POLICY, TENANT, Bench, Pay, fresh_bench, stage
from tests.releases import FREEZE, GATE, GATED, PAY, REFUND, A, B, C, asking, automatic, moved, pay, release
from tools import billing

OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def parked(bench: Bench, version: str = A, *stages: tuple[str, Any], **parts: Any) -> tuple[Run, str]:
    """A case that waits under a version, and its account."""
    account = bench.new_account()
    return await (await release(bench, version, *stages, **parts)).played({"account_id": account}), account


async def test_by_default_a_decision_under_another_version_is_refused_and_changes_nothing(bench: Bench) -> None:
    run, _ = await parked(bench)
    newer = await release(bench, B)

    with pytest.raises(VersionChanged) as refusal:
        await newer.approve(run)

    assert refusal.value.facts == {"pinned": A, "loaded": B}
    assert f"versions migrate {run.id} --from {A} --to {B}" in refusal.value.hint
    assert (await newer.request_of(run)).status == "pending"


async def test_a_moved_case_is_decided_and_paid_once_and_the_move_is_on_record(bench: Bench) -> None:
    run, account = await parked(bench)
    newer = await release(bench, B)
    shown = (await newer.request_of(run)).action_digest

    await moved(newer, run)
    leg = await newer.approve(run)
    await newer.go_on()

    ended = await newer.again(leg)
    assert (ended.version, ended.status, newer.refunds(account)) == (B, "success", [25_000])
    assert (await newer.request_of(run)).action_digest == shown
    said = {"from": A, "to": B, "reason": "the new version is better"}
    assert ("run.migrated", said) in await newer.events(run)


async def test_a_leg_that_was_decided_before_the_deployment_is_held_for_its_own_version(bench: Bench) -> None:
    run, account = await parked(bench)
    older, newer = await release(bench, A), await release(bench, B)
    leg = await older.approve(run)

    await newer.go_on()

    held = await newer.again(leg)
    assert (held.status, held.refused_by, held.attempts, newer.refunds(account)) == ("pending", B, 0, [])
    await newer.rows("UPDATE run SET updated_at = now() - interval '1 minute' WHERE id = %s", leg.id)
    async with newer.engine.database.transaction() as conn:
        lost = [await lost_runs(conn, loaded=[version]) for version in (A, B)]
    assert [leg.id in found for found in lost] == [True, False]
    await older.engine.carrier.advance(leg.id)
    assert (await older.again(leg)).status == "success"
    assert older.refunds(account) == [25_000]


async def test_a_held_leg_that_is_moved_goes_on_at_once(bench: Bench) -> None:
    run, account = await parked(bench)
    older, newer = await release(bench, A), await release(bench, B)
    leg = await older.approve(run)
    await newer.go_on()

    await moved(newer, await newer.again(leg))
    await newer.go_on()

    assert ((await newer.again(leg)).status, newer.refunds(account)) == ("success", [25_000])


async def test_where_settings_say_so_an_unchanged_case_is_moved_by_itself(bench: Bench) -> None:
    run, account = await parked(bench)
    newer = automatic(await release(bench, B))

    leg = await newer.approve(run)
    await newer.go_on()

    assert ((await newer.again(leg)).version, newer.refunds(account)) == (B, [25_000])
    assert [data["from"] for event, data in await newer.events(run) if event == "run.migrated"] == [A]


async def test_settings_move_no_case_that_would_be_another(bench: Bench) -> None:
    run, account = await parked(bench)
    newer = automatic(await release(bench, B, FREEZE, ("gate", stage(pay, "effect", REFUND)), PAY))

    with pytest.raises(VersionChanged, match="at which run"):
        await newer.approve(run)

    assert newer.refunds(account) == []


async def rewrite(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    """What a new version's stage makes of the call that was approved under the old one."""
    frozen = state["proposal"]
    assert frozen
    return await pay({**state, "proposal": {**frozen, "args": {**frozen["args"], "amount_cents": 20_000}}}, runtime)


async def test_after_a_move_an_approval_covers_no_other_call_than_the_one_it_saw(bench: Bench) -> None:
    run, account = await parked(bench)
    newer = await release(bench, B, FREEZE, GATE, ("pay", stage(rewrite, "effect", REFUND)))

    await moved(newer, run)
    leg = await newer.approve(run)
    await newer.go_on()

    assert ((await newer.again(leg)).error or {})["error"] == "digest_mismatch"
    assert newer.refunds(account) == []


STRICTER = (
    require_approval("all", REFUND.name, role="board", within_s=60, why="The board decides."),
    allow("small", REFUND.name, why="Small."),
)
FORBIDDEN = (deny("none", REFUND.name, why="No refunds."), *POLICY.rules)
LARGER = (
    require_approval("large", REFUND.name, above("amount_cents", 1), role="finance", within_s=60, why="Large."),
    allow("small", REFUND.name, why="Small."),
)
OTHER_TOOL = replace(REFUND, reversibility="reversible")


async def reads_first(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    await runtime.context.tools.call(billing.list_charges, billing.ChargesRequest(account_id=state["account_id"]))
    raise AssertionError("a rehearsal must not come here")


@pytest.mark.parametrize(
    ("stages", "policy", "error", "why"),
    [
        ((FREEZE, ("renamed", approval_gate(REFUND)), PAY), POLICY, StageGone, "'gate'"),
        ((FREEZE, ("gate", stage(pay, "code")), PAY), POLICY, NotCompatible, "kind"),
        ((FREEZE, ("gate", stage(reads_first, "gate", REFUND)), PAY), POLICY, NotCompatible, "before it asks"),
        ((FREEZE, ("gate", stage(lambda _: {}, "gate", REFUND)), PAY), POLICY, NotCompatible, "something else"),
        (GATED, replace(POLICY, rules=STRICTER, roles=("board",)), NotCompatible, "board"),
        (GATED, replace(POLICY, rules=FORBIDDEN), NotCompatible, "deny"),
        (GATED, replace(POLICY, tools=(billing.list_charges, OTHER_TOOL)), NotCompatible, "contract"),
        (GATED, replace(POLICY, tools=(billing.list_charges,)), NotCompatible, "not one any more"),
    ],
    ids=["renamed", "no gate", "reads first", "asks nothing", "other role", "denied", "other contract", "no tool"],
)
async def test_a_case_that_would_not_be_the_same_stays(
    bench: Bench, stages: Any, policy: Any, error: Any, why: str
) -> None:
    run, _ = await parked(bench)
    newer = await release(bench, B, *stages, policy=policy)

    with pytest.raises(error, match=why):
        await moved(newer, run)

    assert ((await newer.again(run)).version, (await newer.request_of(run)).status) == (A, "pending")


async def test_a_limit_that_only_fell_moves_a_case_that_a_person_decides_anyway(bench: Bench) -> None:
    run, _ = await parked(bench)

    assert (await moved(await release(bench, B, policy=replace(POLICY, rules=LARGER)), run)).version == B


@pytest.mark.parametrize(("question", "same"), [("Which one?", True), ("Which other one?", False)])
async def test_an_answer_goes_only_to_the_question_that_was_asked(bench: Bench, question: str, same: bool) -> None:
    run, _ = await parked(bench, A, asking("Which one?"))
    newer = automatic(await release(bench, B, asking(question)))
    ada = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)

    try:
        leg = await newer.engine.answers.resume(run.thread_id, {"text": "this one"}, ada)
    except VersionChanged:
        assert not same
    else:
        await newer.go_on()
        assert same
        assert (await newer.state(leg))["request_id"] == "this one"


@pytest.mark.parametrize(
    ("move", "why"),
    [
        (Move(B, A, "key:olu", "why not"), "pinned"),
        (Move(A, C, "key:olu", "why not"), "not loaded"),
    ],
)
async def test_a_move_names_the_pin_and_a_version_that_is_loaded(bench: Bench, move: Move, why: str) -> None:
    run, _ = await parked(bench)
    newer = await release(bench, B)

    with pytest.raises(NotCompatible, match=why):
        await newer.engine.migrator.migrate(run, move)


async def test_a_run_that_a_worker_holds_is_not_moved(bench: Bench) -> None:
    run, _ = await parked(bench)
    newer = await release(bench, B)
    await newer.rows("UPDATE run SET status = 'running', lease_until = now() + interval '1 hour' WHERE id = %s", run.id)

    with pytest.raises(NotCompatible, match="under way"):
        await moved(newer, await newer.again(run))


async def test_a_case_that_was_decided_meanwhile_is_not_moved_behind_the_decision(bench: Bench) -> None:
    run, account = await parked(bench)
    older, newer = await release(bench, A), await release(bench, B)

    leg = await older.approve(run)
    with pytest.raises(VersionChanged, match="meanwhile"):
        await moved(newer, run)
    await older.go_on()

    assert ((await older.again(leg)).version, older.refunds(account)) == (A, [25_000])


async def test_a_payment_under_way_is_repeated_under_its_old_key_after_a_move(postgres: str, folder: Path) -> None:
    slow = {"slow": Fault(REFUND.name, "slow", times=1)}
    async with fresh_bench(postgres, folder, slow) as bench:
        run, account = await parked(bench)
        older, newer = await release(bench, A), await release(bench, B)
        leg = await older.approve(run)
        await _die_in_the_payment(older, leg)

        await newer.engine.carrier.advance(leg.id)
        await moved(newer, await newer.again(leg))
        await newer.go_on()

        keys = {r.idempotency_key for r in effects_of(bench.worlds).requests if r.operation == REFUND.name}
        assert ((await newer.again(leg)).status, newer.refunds(account), len(keys)) == ("success", [25_000], 1)


async def _die_in_the_payment(bench: Bench, leg: Run) -> None:
    """A worker that is gone once the payment is in the ledger."""
    worker = asyncio.create_task(bench.engine.carrier.advance(leg.id))
    await bench.until("SELECT 1 FROM effect WHERE state = 'started' AND effect_class <> 'read'")
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    await bench.rows("UPDATE run SET lease_until = now() - interval '1 second' WHERE id = %s", leg.id)
