"""Threads and their state."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from api.bodies import HistoryBody, StateBody, ThreadBody
from api.door import Anybody, Caller, TheEngine
from api.shapes import empty_state_json, state_json, thread_json
from contracts.errors import BypassRefused, DigestMismatch, GateOpen, NotSupported
from engine.access.keys import Principal
from engine.runs.threads import create_thread, get_thread
from engine.wiring import Engine
from engine.worker.intake import require_no_open_gate

router = APIRouter(prefix="/threads", tags=["threads"])


@router.post("")
async def create(body: ThreadBody, engine: TheEngine, principal: Caller) -> dict[str, Any]:
    """Make a thread: the durable state of one case."""
    async with engine.database.transaction() as conn:
        thread = await create_thread(
            conn,
            body.thread_id,
            tenant=principal.tenant,
            metadata=body.metadata,
            or_existing=body.if_exists == "do_nothing",
        )
    return thread_json(thread, await engine.states.latest(thread))


@router.get("/{thread_id}")
async def get(thread_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """A thread with its values and what it waits for."""
    thread = await _thread(engine, principal, thread_id)
    return thread_json(thread, await engine.states.latest(thread))


@router.get("/{thread_id}/state")
async def state(thread_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """The newest state."""
    thread = await _thread(engine, principal, thread_id)
    snapshot = await engine.states.latest(thread)
    return state_json(snapshot) if snapshot else empty_state_json(str(thread_id))


@router.get("/{thread_id}/state/{checkpoint_id}")
async def state_at(thread_id: UUID, checkpoint_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """The state at one checkpoint."""
    thread = await _thread(engine, principal, thread_id)
    return state_json(await engine.states.at(thread, str(checkpoint_id)))


@router.post("/{thread_id}/state")
async def update_state(thread_id: UUID, body: StateBody, engine: TheEngine, principal: Caller) -> dict[str, Any]:
    """Refused: state that is edited from outside would undo what a reviewer saw."""
    await _thread(engine, principal, thread_id)
    if body.as_node is not None:
        raise BypassRefused(
            f"State cannot be written in the name of {body.as_node!r}: that would move the run past its gate.",
            hint="Decide the open request, or cancel the run.",
        )
    try:
        async with engine.database.transaction() as conn:
            await require_no_open_gate(conn, str(thread_id))
    except GateOpen as error:
        raise DigestMismatch(
            "The thread waits for a decision; another state would not be the one that the open request shows.",
            hint=error.hint,
            facts=error.facts,
        ) from error
    raise NotSupported("Editing the state of a governed workflow is not offered.", hint="Start a new run.")


@router.post("/{thread_id}/history")
async def history(thread_id: UUID, body: HistoryBody, engine: TheEngine, principal: Anybody) -> list[dict[str, Any]]:
    """States of the thread, newest first."""
    thread = await _thread(engine, principal, thread_id)
    before = body.before.get("checkpoint_id") if isinstance(body.before, dict) else body.before
    states = engine.states.history(thread, limit=body.limit, before=str(before) if before else None)
    return [state_json(snapshot) async for snapshot in states]


async def _thread(engine: Engine, principal: Principal, thread_id: UUID) -> dict[str, Any]:
    async with engine.database.transaction() as conn:
        return await get_thread(conn, str(thread_id), tenant=principal.tenant)
