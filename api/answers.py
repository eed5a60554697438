"""Answers that take as long as a run: its result when it ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from langgraph.types import StateSnapshot

from api.shapes import result_json
from contracts.errors import NotFound, ThreadBusy
from engine.runs.model import Cancellation, Run
from engine.runs.runs import get_run
from engine.runs.threads import get_thread
from engine.wiring import Engine

_KEEP_ALIVE_S = 5.0


def waiting(engine: Engine, run: Run, *, cancel_by: str | None = None) -> StreamingResponse:
    """The run's result, when it ends; `cancel_by` names in whose name it is cancelled when the caller hangs up."""

    async def body() -> AsyncIterator[bytes]:
        ended = asyncio.create_task(engine.notices.wait_for_result(run.id, tenant=run.tenant))
        try:
            while not (await asyncio.wait({ended}, timeout=_KEEP_ALIVE_S))[0]:
                yield b"\n"
            yield json.dumps(jsonable_encoder(await result_of(engine, *ended.result()))).encode()
        finally:
            if not ended.done() and cancel_by:
                await abandon(engine, run, cancel_by)
            ended.cancel()

    headers = {"Content-Location": run_path(run), "Location": f"{run_path(run)}/join"}
    return StreamingResponse(body(), media_type="application/json", headers=headers)


async def abandon(engine: Engine, run: Run, by: str) -> None:
    """Cancel a run whose caller has hung up, unless it has ended; in a task of its own, as the caller's ends."""

    async def cancel() -> None:
        async with engine.database.transaction() as conn:
            now = await get_run(conn, run.id, tenant=run.tenant)
        if not now.ended:  # one that has parked at a gate waits on
            with contextlib.suppress(ThreadBusy):  # it ended meanwhile
                await engine.intake.cancel(now, Cancellation(by))

    await asyncio.shield(asyncio.create_task(cancel(), name=f"caller of {run.id} hung up"))


async def result_of(engine: Engine, run: Run, left: StateSnapshot | None = None) -> dict[str, Any]:
    """What a run that has ended left, read unless it is given; nothing when its thread is gone."""
    if left is None:
        try:
            async with engine.database.reading() as conn:
                thread = await get_thread(conn, run.thread_id, tenant=run.tenant)
        except NotFound:
            return {}
        left = await engine.states.latest(thread)
    return result_json(run, engine.catalog[run.workflow], left)


def run_path(run: Run) -> str:
    return f"/threads/{run.thread_id}/runs/{run.id}"
