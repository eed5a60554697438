"""Runs as people who operate look at them: found over all threads, shown whole, followed, explained; what is stuck."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from api.door import Anybody, Operator, TheEngine
from engine.access.keys import Principal
from engine.operations.cases import show_run, tell_case
from engine.operations.stuck import PENDING_S, find_stuck
from engine.operations.traced import show_trace
from engine.operations.why import explain_way, only_stage
from engine.runs.model import RunStatus
from engine.runs.report import find_runs, run_facts
from engine.wiring import Engine

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("")
async def list_(
    engine: TheEngine,
    principal: Anybody,
    status: RunStatus | None = None,
    workflow: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> list[dict[str, Any]]:
    """Runs over all threads, newest first: all of them for reviewers and operators, for others their own."""
    requester = None if principal.watches else principal.name
    async with engine.database.transaction() as conn:
        return await find_runs(
            conn, tenant=principal.tenant, status=status, workflow=workflow, requester=requester, limit=limit
        )


@router.get("/stuck")
async def stuck(
    engine: TheEngine, principal: Operator, pending_s: Annotated[float, Query(ge=0, le=31_536_000)] = PENDING_S
) -> list[dict[str, Any]]:
    """What does not move although it should: runs, effects of unknown outcome, overdue requests; and what to do."""
    async with engine.database.transaction() as conn:
        return await find_stuck(conn, tenant=principal.tenant, pending_s=pending_s)


@router.get("/{run_id}")
async def show(run_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """One run with the legs of its case and what it waits for. For its requester, reviewers and operators."""
    await _require_party(engine, principal, run_id)
    async with engine.database.transaction() as conn:
        return await show_run(conn, str(run_id), tenant=principal.tenant)


@router.get("/{run_id}/timeline")
async def timeline(
    run_id: UUID, engine: TheEngine, principal: Anybody, after: Annotated[int, Query(ge=0)] = 0
) -> dict[str, Any]:
    """The run and the audit records of its case behind the one numbered `after`, each with time and actor."""
    await _require_party(engine, principal, run_id)
    async with engine.database.transaction() as conn:
        return await tell_case(conn, str(run_id), tenant=principal.tenant, after=after)


@router.get("/{run_id}/why")
async def why(run_id: UUID, engine: TheEngine, principal: Anybody, stage: str | None = None) -> dict[str, Any]:
    """The stages of the run's case: what each knew, was told and wrote, where it led, where it could have led."""
    await _require_party(engine, principal, run_id)
    way = await explain_way(engine.database, engine.states, str(run_id), tenant=principal.tenant)
    return only_stage(way, stage) if stage else way


@router.get("/{run_id}/trace")
async def trace(run_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """The reasoning trace of the run's case over all its runs: messages, parameters, replies, tools, branches."""
    await _require_party(engine, principal, run_id)
    return await show_trace(engine.database, str(run_id), tenant=principal.tenant)


async def _require_party(engine: Engine, principal: Principal, run_id: UUID) -> None:
    async with engine.database.transaction() as conn:
        run = await run_facts(conn, str(run_id), tenant=principal.tenant)
    principal.require_party(run["requester"])
