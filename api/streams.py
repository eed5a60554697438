"""A run's events as server-sent events, while it goes on and afterwards, from any server."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from sse_starlette import EventSourceResponse
from starlette.types import Message

from api.answers import abandon, run_path
from api.modes import END, Joining, Position
from api.partials import Partials
from contracts.errors import NotFound
from engine.runs.model import Run
from engine.runs.runs import get_run
from engine.wiring import Engine
from engine.worker.wire import encode

_PING_S = 15
_GIVE_UP_READER_S = 120
_ALWAYS = ("metadata", "error")
_FROM_START = Joining()


def streaming(
    engine: Engine, run: Run, *, joining: Joining = _FROM_START, cancel_by: str | None = None
) -> EventSourceResponse:
    """The run's events from a position on until it has ended; cut by a server that goes down, to be joined elsewhere.

    `cancel_by` names in whose name the run is cancelled when the caller hangs up before it has ended.
    """

    async def hung_up(_: Message) -> None:
        if cancel_by:
            await abandon(engine, run, cancel_by)

    headers = {"Content-Location": run_path(run), "Location": f"{run_path(run)}/stream"}
    body = _events(engine, run, joining.position, joining.modes or run.stream_modes)
    return event_stream(body, headers=headers, when_left=hung_up)


def event_stream(
    body: AsyncIterator[bytes],
    *,
    headers: Mapping[str, str] | None = None,
    when_left: Callable[[Message], Awaitable[None]] | None = None,
) -> EventSourceResponse:
    """Send what `body` gives; a reader that takes nothing for two minutes is let go."""
    return EventSourceResponse(
        body, headers=headers, ping=_PING_S, send_timeout=_GIVE_UP_READER_S, client_close_handler_callable=when_left
    )


async def _events(engine: Engine, run: Run, position: Position, modes: Sequence[str]) -> AsyncIterator[bytes]:
    if position.over:
        return
    if position.at_start:
        # Not kept: it can be sent before any worker has begun.
        yield sse("metadata", encode({"run_id": run.id, "attempt": 1}), 0)
    # Who has a part of a growing message needs all of its pieces to see it grow on.
    partials = Partials() if "messages" in modes and "messages-tuple" not in modes else None
    after = 0 if partials else position.number
    async for page in engine.notices.follow(run.id, tenant=run.tenant, after=after, names=_names(modes)):
        events = [partials.grown(event) for event in page] if partials else page
        if body := b"".join(sse(e.name, e.data, e.number) for e in events if e.number > position.number):
            yield body
    if not run.stream_modes and (error := await _error(engine, run)):
        yield sse("error", encode(error), END)


async def _error(engine: Engine, run: Run) -> object:
    """How a run failed that keeps no events."""
    try:
        async with engine.database.transaction() as conn:
            return (await get_run(conn, run.id, tenant=run.tenant)).error
    except NotFound:
        return None


def _names(modes: Sequence[str]) -> list[str]:
    """Names under which the events of these modes are kept."""
    names = {"messages" if mode == "messages-tuple" else mode for mode in modes} | set(_ALWAYS)
    return sorted(names | {"messages/metadata"} if "messages" in modes and "messages-tuple" not in modes else names)


def sse(name: str, data: str, number: int | str) -> bytes:
    """One server-sent event; `data` is JSON text, which has no line ends."""
    return f"event: {name}\r\ndata: {data}\r\nid: {number}\r\n\r\n".encode()
