"""Runs: created, waited for, streamed, joined, cancelled; resumed by `command.resume`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse

from api.answers import run_path, waiting
from api.bodies import RunBody
from api.door import Anybody, TheEngine
from api.modes import Joining, joining
from api.shapes import run_json
from api.streams import streaming
from engine.access.keys import Principal
from engine.assistants.assistants import find_assistant
from engine.assistants.model import with_setup
from engine.runs.model import NewRun, Run, RunOptions
from engine.runs.runs import get_run, list_runs
from engine.runs.threads import create_thread, get_thread
from engine.wiring import Engine

router = APIRouter(prefix="/threads/{thread_id}/runs", tags=["runs"])
_KEEP_ALIVE_S = 5.0


@router.post("")
async def create(
    thread_id: UUID, body: RunBody, engine: TheEngine, principal: Anybody, response: Response
) -> dict[str, Any]:
    """Accept a run, or the answer to what the thread waits for, and return at once."""
    run = await _accept(engine, principal, thread_id, body, stream_modes=body.stream_modes)
    response.headers["Content-Location"] = run_path(run)
    return run_json(run)


@router.post("/wait")
async def wait(thread_id: UUID, body: RunBody, engine: TheEngine, principal: Anybody) -> StreamingResponse:
    """Accept a run and answer with its result; a newline every five seconds keeps the connection open."""
    run = await _accept(engine, principal, thread_id, body)
    return waiting(engine, run)


@router.post("/stream")
async def stream(thread_id: UUID, body: RunBody, engine: TheEngine, principal: Anybody) -> EventSourceResponse:
    """Accept a run and stream what its stages do."""
    run = await _accept(engine, principal, thread_id, body, stream_modes=body.stream_modes or ("values",))
    return streaming(engine, run, cancel_by=principal.name if body.on_disconnect == "cancel" else None)


@router.get("")
async def list_(
    thread_id: UUID,
    engine: TheEngine,
    principal: Anybody,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
    status: str | None = None,
) -> list[dict[str, Any]]:
    """A thread's runs, newest first."""
    async with engine.database.transaction() as conn:
        await get_thread(conn, str(thread_id), tenant=principal.tenant)
        found = await list_runs(
            conn, str(thread_id), tenant=principal.tenant, status=status, limit=limit, offset=offset
        )
    return [run_json(run) for run in found]


@router.get("/{run_id}")
async def get(thread_id: UUID, run_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """One run."""
    return run_json(await _run(engine, principal, thread_id, run_id))


@router.get("/{run_id}/join")
async def join(thread_id: UUID, run_id: UUID, engine: TheEngine, principal: Anybody) -> StreamingResponse:
    """Wait for a run that exists."""
    return waiting(engine, await _run(engine, principal, thread_id, run_id))


@router.get("/{run_id}/stream")
async def join_stream(
    thread_id: UUID, run_id: UUID, engine: TheEngine, principal: Anybody, joined: Annotated[Joining, Depends(joining)]
) -> EventSourceResponse:
    """Stream a run that exists: what it has streamed so far, and on until it ends."""
    run = await _run(engine, principal, thread_id, run_id)
    if joined.leaving_cancels and principal.name != run.requester:
        principal.require("operator")
    return streaming(engine, run, joining=joined, cancel_by=principal.name if joined.leaving_cancels else None)


@router.post("/{run_id}/cancel")
async def cancel(thread_id: UUID, run_id: UUID, engine: TheEngine, principal: Anybody, wait: bool = False) -> Response:
    """Stop a run at the next chance; one that waits at a gate ends now and its requests are closed.

    The case's requester and operators may.
    """
    run = await _run(engine, principal, thread_id, run_id)
    if principal.name != run.requester:
        principal.require("operator")
    await engine.intake.cancel(run, by=principal.name)
    if wait:
        await engine.notices.wait_for_end(run.id, tenant=run.tenant)
    return Response(status_code=204 if wait else 202)


async def _accept(
    engine: Engine, principal: Principal, thread_id: UUID, body: RunBody, *, stream_modes: tuple[str, ...] = ()
) -> Run:
    body.require_served()
    async with engine.database.transaction() as conn:
        workflow, assistant = await find_assistant(conn, engine.catalog, body.assistant_id, principal.tenant)
    if body.command is not None:
        return await engine.intake.resume(str(thread_id), body.command.resume, principal, stream_modes=stream_modes)
    principal.require("caller")
    if body.if_not_exists == "create":
        async with engine.database.transaction() as conn:
            await create_thread(conn, thread_id, tenant=principal.tenant, metadata={}, or_existing=True)
    new = NewRun(
        thread_id=str(thread_id),
        tenant=principal.tenant,
        workflow=workflow.name,
        requester=principal.name,
        input=body.input or {},
        assistant_id=assistant.id,
        stream_modes=stream_modes,
        metadata=body.metadata,
        multitask_strategy=body.multitask_strategy,
        options=with_setup(assistant.setup, RunOptions(stream_subgraphs=body.stream_subgraphs)),
    )
    return await engine.intake.accept(new)


async def _run(engine: Engine, principal: Principal, thread_id: UUID, run_id: UUID) -> Run:
    async with engine.database.transaction() as conn:
        return await get_run(conn, str(run_id), tenant=principal.tenant, thread_id=str(thread_id))
