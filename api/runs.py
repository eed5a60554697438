"""Runs on a thread: created, waited for, streamed, joined, cancelled, deleted; resumed by `command.resume`."""

import contextlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse

from api.accepting import accept
from api.answers import run_path, waiting
from api.door import Anybody, TheEngine
from api.modes import Joining, joining
from api.pages import selected
from api.run_bodies import RunBody, RunsQuery
from api.shapes import run_json
from api.streams import streaming
from contracts.errors import NotFound
from engine.access.keys import Principal
from engine.runs.model import CancelAction, Cancellation, Run
from engine.runs.runs import delete_run, get_run, list_runs
from engine.runs.threads import get_thread
from engine.wiring import Engine

router = APIRouter(prefix="/threads/{thread_id}/runs", tags=["runs"])


@router.post("")
async def create(
    thread_id: UUID, body: RunBody, engine: TheEngine, principal: Anybody, response: Response
) -> dict[str, Any]:
    """Accept a run, or the answer to what the thread waits for, and return at once."""
    run = await accept(engine, principal, body, thread_id=thread_id, stream_modes=body.stream_modes)
    response.headers["Content-Location"] = run_path(run)
    return run_json(run)


@router.post("/wait")
async def wait(thread_id: UUID, body: RunBody, engine: TheEngine, principal: Anybody) -> StreamingResponse:
    """Accept a run and answer with its result; a newline every five seconds keeps the connection open."""
    run = await accept(engine, principal, body, thread_id=thread_id)
    return waiting(engine, run, cancel_by=leaver(run, body, principal))


@router.post("/stream")
async def stream(thread_id: UUID, body: RunBody, engine: TheEngine, principal: Anybody) -> EventSourceResponse:
    """Accept a run and stream what its stages do."""
    run = await accept(engine, principal, body, thread_id=thread_id, stream_modes=body.modes_of_stream)
    return streaming(engine, run, cancel_by=leaver(run, body, principal))


@router.get("")
async def list_(
    thread_id: UUID, engine: TheEngine, principal: Anybody, query: Annotated[RunsQuery, Query()]
) -> list[dict[str, Any]]:
    """A thread's runs, newest first."""
    async with engine.database.reading() as conn:
        await get_thread(conn, str(thread_id), tenant=principal.tenant)
        found = await list_runs(
            conn,
            str(thread_id),
            tenant=principal.tenant,
            status=query.status,
            limit=query.limit,
            offset=query.offset,
        )
    return [selected(run_json(run), query.select) for run in found]


@router.get("/{run_id}")
async def get(thread_id: UUID, run_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """One run."""
    return run_json(await _run(engine, principal, thread_id, run_id))


@router.delete("/{run_id}", status_code=204)
async def delete(thread_id: UUID, run_id: UUID, engine: TheEngine, principal: Anybody) -> None:
    """Hide a run that has ended. Its audit records and its effects in the ledger stay."""
    run = await _own(engine, principal, thread_id, run_id)
    async with engine.database.transaction() as conn:
        await delete_run(conn, run, by=principal.name)


@router.get("/{run_id}/join")
async def join(
    thread_id: UUID, run_id: UUID, engine: TheEngine, principal: Anybody, cancel_on_disconnect: bool = False
) -> StreamingResponse:
    """Wait for a run that exists."""
    run = await _run(engine, principal, thread_id, run_id)
    if cancel_on_disconnect:
        require_own(run, principal)
    return waiting(engine, run, cancel_by=principal.name if cancel_on_disconnect else None)


@router.get("/{run_id}/stream")
async def join_stream(
    thread_id: UUID, run_id: UUID, engine: TheEngine, principal: Anybody, joined: Annotated[Joining, Depends(joining)]
) -> EventSourceResponse:
    """Stream a run that exists: what it has streamed so far, and on until it ends."""
    run = await _run(engine, principal, thread_id, run_id)
    if joined.leaving_cancels:
        require_own(run, principal)
    return streaming(engine, run, joining=joined, cancel_by=principal.name if joined.leaving_cancels else None)


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    response_class=Response,
    responses={204: {"description": "With `wait`: it has ended."}},
)
async def cancel(
    thread_id: UUID,
    run_id: UUID,
    engine: TheEngine,
    principal: Anybody,
    wait: bool = False,
    action: CancelAction = "interrupt",
) -> Response:
    """Stop a run at the next chance; one that waits at a gate ends now and its requests are closed.

    `rollback` also forgets what it made of the thread; refused for a run that acted. The case's requester and operators
    may.
    """
    run = await _own(engine, principal, thread_id, run_id)
    await engine.intake.cancel(run, Cancellation(principal.name, action))
    if wait:
        with contextlib.suppress(NotFound):  # a run that was rolled back is gone
            await engine.notices.wait_for_end(run.id, tenant=run.tenant)
    return Response(status_code=204 if wait else 202)


def require_own(run: Run, principal: Principal) -> None:
    """Raises `Forbidden` unless the principal asked for the run or is an operator."""
    if not may_stop(run, principal):
        principal.require("operator")


def leaver(run: Run, body: RunBody, principal: Principal) -> str | None:
    """In whose name a run ends when its caller hangs up; None where it goes on, as after an answer to another's."""
    return principal.name if body.on_disconnect == "cancel" and may_stop(run, principal) else None


def may_stop(run: Run, principal: Principal) -> bool:
    """Whether the principal asked for the run or is an operator."""
    return principal.name == run.requester or "operator" in principal.roles


async def _own(engine: Engine, principal: Principal, thread_id: UUID, run_id: UUID) -> Run:
    run = await _run(engine, principal, thread_id, run_id)
    require_own(run, principal)
    return run


async def _run(engine: Engine, principal: Principal, thread_id: UUID, run_id: UUID) -> Run:
    async with engine.database.reading() as conn:
        return await get_run(conn, str(run_id), tenant=principal.tenant, thread_id=str(thread_id))
