"""What happens on a thread, over all of its runs, as server-sent events."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends
from sse_starlette import EventSourceResponse

from api.door import Anybody, TheEngine
from api.modes import AskedModes, LastEventId, Position, asked_modes
from api.partials import Partials
from api.shapes import state_json
from api.streams import event_stream, sse
from contracts.errors import NotFound
from engine.runs.pages import StreamEvent, ThreadEvent, newest_event
from engine.runs.threads import get_thread
from engine.wiring import Engine
from engine.worker.wire import encode

router = APIRouter(prefix="/threads/{thread_id}", tags=["streams"])

ThreadStreamMode = Literal["run_modes", "lifecycle", "state_update"]
_LIFECYCLE = ("began", "metadata", "done")
_STATE_UPDATE = "state_update"


async def thread_modes(stream_mode: AskedModes = None) -> Sequence[str]:
    """Raises `InvalidRequest`."""
    return asked_modes(stream_mode, get_args(ThreadStreamMode)) or ("run_modes",)


@router.get("/stream")
async def stream(
    thread_id: UUID,
    engine: TheEngine,
    principal: Anybody,
    modes: Annotated[Sequence[str], Depends(thread_modes)],
    last_event_id: LastEventId = None,
) -> EventSourceResponse:
    """Follow a thread: what its runs stream, or only that they begin and end; from now on, or after an event."""
    async with engine.database.transaction() as conn:
        thread = await get_thread(conn, str(thread_id), tenant=principal.tenant)
    after = Position.after(last_event_id).number
    if not last_event_id:
        after, _ = await newest_event(engine.database, str(thread_id))
    return event_stream(_events(engine, thread, after, modes))


async def _events(engine: Engine, thread: dict[str, Any], after: int, modes: Sequence[str]) -> AsyncIterator[bytes]:
    thread_id, tenant, shown = str(thread["id"]), thread["tenant"], _Shown()
    # Who has a part of a growing message needs all of its pieces to see it grow on.
    _, first = await newest_event(engine.database, thread_id, upto=after)
    start = max(0, first - 1) if "run_modes" in modes else after
    async for page in engine.notices.follow_thread(thread_id, tenant=tenant, after=start, names=_names(modes)):
        for event in page:
            if event.name == _STATE_UPDATE:
                if event.number > after and _STATE_UPDATE in modes:
                    yield sse(event.name, await _state(engine, thread_id, tenant, event), event.number)
            elif (seen := shown.of(event)).number > after:
                yield sse(seen.name, seen.data, seen.number)


async def _state(engine: Engine, thread_id: str, tenant: str, event: ThreadEvent) -> str:
    """The state that was written, as GET state shows it; null once retention has forgotten it."""
    async with engine.database.transaction() as conn:
        thread = await get_thread(conn, thread_id, tenant=tenant)
    try:
        snapshot = await engine.states.at(thread, orjson.loads(event.data)["checkpoint_id"])
    except NotFound:
        return encode({"thread_id": thread_id, "state": None})
    return encode({"thread_id": thread_id, "state": state_json(snapshot)})


def _names(modes: Sequence[str]) -> Sequence[str] | None:
    """Names under which the events of these modes are kept; None: all."""
    if "run_modes" in modes:
        return None
    return [*(_LIFECYCLE if "lifecycle" in modes else ()), *((_STATE_UPDATE,) if _STATE_UPDATE in modes else ())]


class _Shown:
    """What one reader has been shown of each run."""

    def __init__(self) -> None:
        self._partials: dict[str, Partials] = {}

    def of(self, event: ThreadEvent) -> StreamEvent:
        """The event as this reader sees it: messages as they grow where the run's caller wanted them so."""
        if event.name == "messages/metadata":
            self._partials.setdefault(event.run_id, Partials())
        if event.name == "done":
            self._partials.pop(event.run_id, None)
        partials = self._partials.get(event.run_id)
        shown = partials.grown(event) if partials else event
        return replace(shown, name="metadata") if event.name in _LIFECYCLE else shown
