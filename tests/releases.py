"""One small workflow in several versions, each as if another deployment had loaded it, over one database."""

from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime
from psycopg.types.json import Jsonb

from contracts.context import Context
from contracts.policy import Policy
from engine.catalog.catalog import Catalog
from engine.catalog.manifest import make_manifest
from engine.catalog.versions import register_versions
from engine.runs.model import Run
from engine.worker.migration import Move
from nodes.waiting import approval_gate, clarification, proposes
from tests.engines import POLICY, Bench, Pay, in_line, refund_draft, stage
from tools import billing

A, B, C = "a" * 16, "b" * 16, "c" * 16
REFUND = billing.issue_refund


async def pay(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    proposal = state["proposal"]
    assert proposal
    request = REFUND.request.model_validate(proposal["args"])
    receipt = await runtime.context.tools.call(REFUND, request, request_id=proposal["request_id"])
    return {"receipt": receipt.model_dump(mode="json")}


FREEZE = ("freeze", proposes(REFUND, refund_draft))
GATE = ("gate", approval_gate(REFUND))
PAY = ("pay", stage(pay, "effect", REFUND))
GATED = (FREEZE, GATE, PAY)


def asking(text: str) -> tuple[str, Any]:
    return "ask", clarification(lambda _: text, into="request_id")


async def release(bench: Bench, version: str, *stages: tuple[str, Any], policy: Policy = POLICY) -> Bench:
    """The bench of a deployment that has loaded this version, which is registered as at every start."""
    made = in_line(*(stages or GATED), policy=policy, version=version)
    workflow = replace(made, manifest=make_manifest(made.graph, policy, {}, {}, {}))
    async with bench.engine.database.transaction() as conn:
        await register_versions(conn, Catalog([workflow]))
    # Tests that share a database give other workflows the same names of versions.
    await bench.rows("UPDATE workflow_version SET manifest = %s WHERE digest = %s", Jsonb(workflow.manifest), version)
    return bench.offering(workflow)


def automatic(bench: Bench) -> Bench:
    """The same deployment under GATEHOUSE_VERSION_CHANGE=migrate-compatible."""
    engine = bench.engine
    migrator = replace(engine.migrator, automatic=True)
    rooms: dict[str, Any] = {
        name: replace(getattr(engine, name), migrator=migrator) for name in ("intake", "answers", "carrier")
    }
    return replace(bench, engine=replace(engine, migrator=migrator, **rooms))


async def moved(bench: Bench, run: Run, source: str = A, to: str = B) -> Run:
    """The newest leg of the run's case after an operator has moved it."""
    await bench.engine.migrator.migrate(run, Move(source, to, "key:olu", "the new version is better"))
    return await bench.again(run)
