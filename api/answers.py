"""Answers that take as long as a run: its result when it ends, or its events as they come."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.shapes import result_json
from contracts.errors import NotFound
from engine.runs.model import Run
from engine.runs.runs import get_run
from engine.runs.threads import get_thread
from engine.wiring import Engine

_KEEP_ALIVE_S = 5.0


def waiting(engine: Engine, run: Run) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        ended = asyncio.create_task(engine.notices.wait_for_end(run.id, tenant=run.tenant))
        try:
            while not (await asyncio.wait({ended}, timeout=_KEEP_ALIVE_S))[0]:
                yield b"\n"
            yield json.dumps(jsonable_encoder(await _result(engine, ended.result()))).encode()
        finally:
            ended.cancel()

    headers = {"Content-Location": run_path(run), "Location": f"{run_path(run)}/join"}
    return StreamingResponse(body(), media_type="application/json", headers=headers)


def streaming(engine: Engine, run: Run, *, after: int) -> EventSourceResponse:
    async def body() -> AsyncIterator[ServerSentEvent]:
        yield _event("metadata", {"run_id": run.id, "attempt": max(1, run.attempts)})
        async for number, event, data in engine.notices.follow(run.id, tenant=run.tenant, after=after):
            yield _event(event, data, number)
        async with engine.database.transaction() as conn:
            ended = await get_run(conn, run.id, tenant=run.tenant)
        if ended.error:
            yield _event("error", ended.error)

    headers = {"Content-Location": run_path(run), "Location": f"{run_path(run)}/stream"}
    return EventSourceResponse(body(), headers=headers, ping=15)


def _event(event: str, data: Any, number: int | None = None) -> ServerSentEvent:
    text = json.dumps(jsonable_encoder(data))
    return ServerSentEvent(text, event=event, id=str(number) if number is not None else None)


async def _result(engine: Engine, run: Run) -> dict[str, Any]:
    try:
        async with engine.database.transaction() as conn:
            thread = await get_thread(conn, run.thread_id, tenant=run.tenant)
    except NotFound:
        return {}
    return result_json(run, engine.catalog[run.workflow], await engine.states.latest(thread))


def run_path(run: Run) -> str:
    return f"/threads/{run.thread_id}/runs/{run.id}"
