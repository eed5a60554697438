"""The state of threads: read now, at a checkpoint and over time; edited where nobody waits."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from langgraph.types import StateUpdate

from api.bodies import CheckpointBody, HistoryBody, StateAtBody, StateBody, UpdateBody
from api.door import Anybody, Caller, TheEngine
from api.pages import selected
from api.shapes import checkpoint_json, empty_state_json, state_json
from contracts.errors import InvalidRequest, NotSupported
from engine.access.keys import Principal
from engine.runs.threads import get_thread
from engine.wiring import Engine

router = APIRouter(prefix="/threads/{thread_id}", tags=["threads"])
Selected = Annotated[list[str] | None, Query()]


@router.get("/state")
async def state(
    thread_id: UUID, engine: TheEngine, principal: Anybody, subgraphs: bool = False, select: Selected = None
) -> dict[str, Any]:
    """The newest state."""
    thread = await thread_of(engine, principal, thread_id)
    snapshot = await engine.states.latest(thread, subgraphs=subgraphs)
    return selected(state_json(snapshot) if snapshot else empty_state_json(str(thread_id)), select)


@router.get("/state/{checkpoint_id}")
async def state_at(
    thread_id: UUID,
    checkpoint_id: UUID,
    engine: TheEngine,
    principal: Anybody,
    subgraphs: bool = False,
    select: Selected = None,
) -> dict[str, Any]:
    """The state at one checkpoint."""
    thread = await thread_of(engine, principal, thread_id)
    return selected(state_json(await engine.states.at(thread, str(checkpoint_id), subgraphs=subgraphs)), select)


@router.post("/state/checkpoint")
async def state_at_checkpoint(
    thread_id: UUID, body: StateAtBody, engine: TheEngine, principal: Anybody
) -> dict[str, Any]:
    """The state at one checkpoint, also of a subgraph; without an id, the newest of the graph or the subgraph."""
    thread, at = await thread_of(engine, principal, thread_id), body.checkpoint
    ns = at.checkpoint_ns or ""
    if at.checkpoint_id is None:
        snapshot = await engine.states.latest(thread, ns=ns, subgraphs=body.subgraphs)
        return selected(state_json(snapshot) if snapshot else empty_state_json(str(thread_id)), body.select)
    found = await engine.states.at(thread, str(at.checkpoint_id), ns=ns, subgraphs=body.subgraphs)
    return selected(state_json(found), body.select)


@router.post("/state")
async def update_state(thread_id: UUID, body: StateBody, engine: TheEngine, principal: Caller) -> dict[str, Any]:
    """Write state from outside, where nobody waits. From then on the thread's runs do not act."""
    if body.checkpoint and body.checkpoint.checkpoint_ns:
        raise NotSupported("The state of a subgraph is its own stages' to write.", hint="Write the thread's state.")
    config = await engine.editor.update(str(thread_id), [[_update(body.values, body.as_node)]], principal, at=body.at)
    return {"checkpoint": checkpoint_json(config)}


@router.get("/history")
async def history_newest(
    thread_id: UUID,
    engine: TheEngine,
    principal: Anybody,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
    before: UUID | None = None,
) -> list[dict[str, Any]]:
    """States of the thread, newest first."""
    return await _history(engine, principal, thread_id, HistoryBody(limit=limit, before=before))


@router.post("/history")
async def history(thread_id: UUID, body: HistoryBody, engine: TheEngine, principal: Anybody) -> list[dict[str, Any]]:
    """States of the thread, newest first."""
    return await _history(engine, principal, thread_id, body)


async def thread_of(engine: Engine, principal: Principal, thread_id: UUID) -> dict[str, Any]:
    """The row of a thread. Raises `NotFound`."""
    async with engine.database.reading() as conn:
        return await get_thread(conn, str(thread_id), tenant=principal.tenant)


async def apply_steps(
    engine: Engine, principal: Principal, thread_id: str, steps: Sequence[Sequence[UpdateBody]]
) -> None:
    """Write super-steps as a caller sent them."""
    for step in steps:
        if any(update.command is not None for update in step):
            raise InvalidRequest("An update of a super-step has `values`; a `command` in it is not offered.")
    updates = [[_update(u.values, u.as_node) for u in step] for step in steps]
    await engine.editor.update(thread_id, updates, principal)


def _update(values: Any, as_node: str | None) -> StateUpdate:
    return StateUpdate(values=values, as_node=as_node)


async def _history(engine: Engine, principal: Principal, thread_id: UUID, body: HistoryBody) -> list[dict[str, Any]]:
    thread = await thread_of(engine, principal, thread_id)
    before = body.before.checkpoint_id if isinstance(body.before, CheckpointBody) else body.before
    ns = (body.checkpoint.checkpoint_ns or "") if body.checkpoint else ""
    states = engine.states.history(
        thread, limit=body.limit, before=str(before) if before else None, metadata=body.metadata, ns=ns
    )
    return [selected(state_json(snapshot), body.select) async for snapshot in states]
