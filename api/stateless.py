"""Runs without a thread of the caller's, many at once, and many cancelled at once."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse

from api.accepting import accept
from api.answers import run_path, waiting
from api.door import Anybody, TheEngine
from api.run_bodies import BatchedBody, CancelManyBody, RunBody
from api.runs import leaver, may_stop
from api.shapes import run_json
from api.streams import streaming
from contracts.errors import CannotRollBack, GatehouseError, InvalidRequest, ThreadBusy
from engine.runs.model import CancelAction, Cancellation
from engine.runs.runs import cancellable_runs

router = APIRouter(prefix="/runs", tags=["runs"])


@router.post("")
async def create(body: RunBody, engine: TheEngine, principal: Anybody, response: Response) -> dict[str, Any]:
    """Accept a run on a thread made for it and return at once."""
    run = await accept(engine, principal, body, thread_id=None, stream_modes=body.stream_modes)
    response.headers["Content-Location"] = run_path(run)
    return run_json(run)


@router.post("/wait")
async def wait(body: RunBody, engine: TheEngine, principal: Anybody) -> StreamingResponse:
    """Accept a run on a thread made for it and answer with its result."""
    run = await accept(engine, principal, body, thread_id=None)
    return waiting(engine, run, cancel_by=leaver(run, body, principal))


@router.post("/stream")
async def stream(body: RunBody, engine: TheEngine, principal: Anybody) -> EventSourceResponse:
    """Accept a run on a thread made for it and stream what its stages do."""
    run = await accept(engine, principal, body, thread_id=None, stream_modes=body.modes_of_stream)
    return streaming(engine, run, cancel_by=leaver(run, body, principal))


@router.post("/batch")
async def batch(
    bodies: Annotated[list[BatchedBody], Body(max_length=100)], engine: TheEngine, principal: Anybody
) -> list[dict[str, Any]]:
    """Accept up to a hundred runs, each on a thread of its own; the first that is refused ends the batch.

    What it is refused with lists in `accepted` the runs before it: send the others again.
    """
    runs: list[dict[str, Any]] = []
    for body in bodies:
        try:
            run = await accept(engine, principal, body, thread_id=None, stream_modes=body.stream_modes)
        except GatehouseError as error:
            error.facts["accepted"] = [{name: run[name] for name in ("run_id", "thread_id")} for run in runs]
            raise
        runs.append(run_json(run))
    return runs


@router.post("/cancel", status_code=204)
async def cancel_many(
    body: CancelManyBody, engine: TheEngine, principal: Anybody, action: CancelAction = "interrupt"
) -> None:
    """Cancel unfinished runs by thread and ids, or by status: the caller's own, or anybody's for an operator.

    One that acted is not rolled back: that is said when all others have been.
    """
    if not (body.run_ids or body.status or body.thread_id):
        raise InvalidRequest("Say which runs: `run_ids`, `thread_id` or `status`.")
    statuses = ["pending", "running"] if body.status in (None, "all") else [str(body.status)]
    async with engine.database.transaction() as conn:
        found = await cancellable_runs(
            conn,
            tenant=principal.tenant,
            statuses=statuses,
            thread_id=str(body.thread_id) if body.thread_id else None,
            ids=[str(run_id) for run_id in body.run_ids] or None,
        )
    refused: CannotRollBack | None = None
    for run in found:
        if may_stop(run, principal):
            try:
                await engine.intake.cancel(run, Cancellation(principal.name, action))
            except ThreadBusy:
                continue  # it ended meanwhile
            except CannotRollBack as error:
                refused = refused or error
    if refused:
        raise refused
