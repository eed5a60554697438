"""Answers that take as long as a run: its result when it ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from langgraph.types import StateSnapshot
from starlette.types import Receive

from api.shapes import result_json
from contracts.errors import NotFound, ThreadBusy
from engine.runs.model import Cancellation, Run
from engine.runs.runs import get_run
from engine.runs.threads import get_thread
from engine.store.database import patiently
from engine.wiring import Engine

_KEEP_ALIVE_S = 5.0


def waiting(engine: Engine, run: Run, *, cancel_by: str | None = None) -> StreamingResponse:
    """The run's result, when it ends; `cancel_by` names in whose name it is cancelled when the caller hangs up."""

    async def body() -> AsyncIterator[bytes]:
        result = asyncio.create_task(_result(engine, run))
        try:
            while not (await asyncio.wait({result}, timeout=_KEEP_ALIVE_S))[0]:
                yield b"\n"
            yield json.dumps(jsonable_encoder(result.result())).encode()
        finally:
            result.cancel()

    async def hung_up() -> None:
        if cancel_by:
            await abandon(engine, run, cancel_by)

    headers = {"Content-Location": run_path(run), "Location": f"{run_path(run)}/join"}
    return _Waiting(body(), headers, hung_up)


class _Waiting(StreamingResponse):
    """Tells a caller who hangs up from a server that goes down, whose callers join again elsewhere."""

    def __init__(
        self, body: AsyncIterator[bytes], headers: Mapping[str, str], when_left: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(body, headers=headers, media_type="application/json")
        self._when_left = when_left

    async def listen_for_disconnect(self, receive: Receive) -> None:
        await super().listen_for_disconnect(receive)
        await self._when_left()


async def _result(engine: Engine, run: Run) -> dict[str, Any]:
    """What the run left when it has ended; what its thread holds where it was rolled back meanwhile."""
    try:
        ended, left = await engine.notices.wait_for_result(run.id, tenant=run.tenant)
    except NotFound:
        ended, left = run, None
    return await patiently(lambda: result_of(engine, ended, left))


async def abandon(engine: Engine, run: Run, by: str) -> None:
    """Cancel a run whose caller has hung up, unless it has ended; in a task of its own, as the caller's may end."""

    async def cancel() -> None:
        with contextlib.suppress(NotFound, ThreadBusy):  # it was rolled back, or ended meanwhile
            async with engine.database.transaction() as conn:
                now = await get_run(conn, run.id, tenant=run.tenant)
            if not now.ended:  # one that has parked at a gate waits on
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
