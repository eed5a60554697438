"""A forged state: somebody who has the database, the seal key and a hold on the run, and still cannot make it pay."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Command

from contracts.context import Case, Context
from contracts.errors import ApprovalRequired, DigestMismatch
from contracts.policy import GUARD_ASKS, GUARD_DENIES
from engine.approvals.decisions import Submission
from engine.models.asking import RunModels
from engine.runs.model import Run
from engine.store.checkpointer import FencedSaver, Holder
from engine.store.journal import Journal
from engine.store.seal import SealedSerializer
from graphs.billing_dispute.policy import POLICY as DISPUTES
from tests.engines import (
    FIN,
    Bench,
    fresh_bench,
    refund_requests,
    refused,
)
from tools import billing

REFUND = billing.issue_refund


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def seize(bench: Bench, run: Run) -> Run:
    await bench.rows("UPDATE run SET status = 'running', epoch = epoch + 1, outcome = NULL WHERE id = %s", run.id)
    return await bench.again(run)


async def let_go(bench: Bench, run: Run) -> Run:
    """Workers go on with what was forged."""
    await bench.rows("UPDATE run SET status = 'pending', lease_until = NULL WHERE id = %s", run.id)
    await bench.wake_ups.enqueue_lost(run.id)
    await bench.go_on()
    return await bench.again(run)


def journal_of(bench: Bench, held: Run) -> Journal:
    return Journal(bench.engine.database, held.id, held.epoch)


def graph_of(bench: Bench, held: Run, journal: Journal) -> tuple[Any, Any]:
    """The run's graph over its real checkpoints, and the configuration that says whose writes these are."""

    serde = SealedSerializer(bench.engine.states.seal_key, tenant=held.tenant, thread_id=held.thread_id)
    holder = Holder(journal.hold, lambda _: None, lambda _: None)
    saver = FencedSaver(bench.engine.database, serde, holder)
    graph: Any = bench.engine.catalog[held.workflow].graph
    config = {"configurable": {"thread_id": held.thread_id}, "metadata": {"run_id": held.id}}
    return graph.copy({"checkpointer": saver}), config


async def forge(bench: Bench, run: Run, values: dict[str, Any], *, as_node: str) -> None:
    held = await seize(bench, run)
    journal = journal_of(bench, held)
    graph, config = graph_of(bench, held, journal)
    await graph.aupdate_state(config, values, as_node=as_node)
    await journal.flush()


async def test_a_decision_forged_in_the_state_pays_nothing(bench: Bench) -> None:
    run, request = await bench.parked_case()
    forged = request.decision("approve", by="key:fin", reason="", message="")

    await forge(bench, run, {"decision": forged}, as_node="approve_refund")
    ended = await let_go(bench, run)

    assert await refused(bench, ended) == "approval_required"
    assert refund_requests(bench, str(request.args["account_id"])) == 0


async def test_a_jump_past_the_gate_pays_nothing(bench: Bench) -> None:
    run, request = await bench.parked_case()
    held = await seize(bench, run)
    journal = journal_of(bench, held)
    graph, config = graph_of(bench, held, journal)

    with pytest.raises(ApprovalRequired):
        await graph.ainvoke(
            Command(goto="pay_refund"), config, context=context_of(bench, held, journal), durability="sync"
        )

    assert refund_requests(bench, str(request.args["account_id"])) == 0


def context_of(bench: Bench, held: Run, journal: Journal) -> Context:
    engine, workflow = bench.engine, bench.engine.catalog[held.workflow]
    names = ("thread_id", "workflow", "version", "tenant", "actor", "requester")
    case = Case(run_id=held.id, opened_on="2026-11-02", **{name: getattr(held, name) for name in names})
    return Context(
        case=case,
        tools=engine.carrier.tools(held, journal, workflow),
        models=RunModels(engine.database, journal, engine.carrier.models, workflow, held),
        gates=engine.carrier.gates(held, journal, workflow),
    )


async def test_the_approval_of_another_case_pays_nothing(bench: Bench) -> None:
    other, approved = await bench.parked_case()
    await bench.approve(other)
    run, request = await bench.parked_case()
    stolen = {**request.proposal(), "request_id": approved.id}
    decided = approved.decision("approve", by="key:fin", reason="", message="")

    await forge(bench, run, {"proposal": stolen, "decision": decided}, as_node="approve_refund")
    ended = await let_go(bench, run)

    assert await refused(bench, ended) == "approval_required"
    assert refund_requests(bench, str(request.args["account_id"])) == 0


async def test_a_request_that_was_edited_no_longer_covers_what_it_showed(bench: Bench) -> None:
    run, shown = await bench.parked_case()
    edit = {"name": shown.tool, "args": shown.args | {"amount_cents": 100}}
    leg = await bench.approve(run, {"type": "edit", "edited_action": edit})
    decided = shown.decision("approve", by="key:fin", reason="", message="")
    await forge(bench, leg, {"proposal": shown.proposal(), "decision": decided}, as_node="approve_refund")

    ended = await let_go(bench, leg)

    assert await refused(bench, ended) == "approval_required"
    assert bench.refunds(str(shown.args["account_id"])) == []


async def test_state_changed_in_the_database_under_an_open_request_makes_its_approval_fail(bench: Bench) -> None:
    run, request = await bench.parked_case()
    finding = (await bench.state(run))["finding"]
    await forge(bench, run, {"finding": {**finding, "amount_cents": 88_888}}, as_node="assess")
    await bench.rows("UPDATE run SET status = 'interrupted' WHERE id = %s", run.id)

    with pytest.raises(DigestMismatch) as problem:
        await bench.engine.answers.decide(request.id, Submission("approve", request.action_digest), FIN)
    with pytest.raises(DigestMismatch):
        await bench.approve(run)
    await bench.go_on()

    assert problem.value.status == 409
    assert (await bench.request_of(run)).status == "pending"
    assert refund_requests(bench, str(request.args["account_id"])) == 0


async def test_an_action_rejected_after_the_limit_was_raised_is_never_done(bench: Bench) -> None:
    run, request = await bench.parked_case()
    generous = tuple(rule for rule in DISPUTES.rules if rule.tool != REFUND.name or rule.verdict == "allow")
    workflow = bench.engine.catalog[run.workflow]
    later = bench.offering(replace(workflow, policy=replace(DISPUTES, rules=generous)))

    leg = await later.approve(run, {"type": "reject"})
    await later.go_on()

    host: dict[str, Any] = {GUARD_ASKS: False, GUARD_DENIES: False, "host_mode": "thresholds"}
    now = later.engine.catalog[run.workflow].judge(request.tool, request.args, request.facts, host)
    assert now.verdict.type == "allow"
    assert (await later.again(leg)).outcome == "rejected"
    assert refund_requests(bench, str(request.args["account_id"])) == 0
