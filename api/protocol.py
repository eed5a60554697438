"""The event stream protocol of a thread: its events, and the commands that start runs on it and answer them."""

import re
from collections.abc import AsyncIterator
from typing import Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from sse_starlette import EventSourceResponse

from api.accepting import accept
from api.door import Anybody, TheEngine
from api.protocol_events import NUMBERS_PER_EVENT, STREAM_MODES, Translator
from api.run_bodies import RunBody
from api.streams import event_stream, sse
from api.subscription import Subscription
from contracts.errors import BypassRefused, GatehouseError, InvalidRequest, NothingToResume, NotSupported
from engine.access.keys import Principal
from engine.runs.pages import current_case, newest_event
from engine.runs.threads import get_thread
from engine.wiring import Engine

router = APIRouter(prefix="/threads/{thread_id}", tags=["streams"])

_FRESH_S = 2.0
_ANSWERED_AS_PROBLEMS = (401, 403, 404, 503)
Json = dict[str, Any]


class CommandBody(BaseModel):
    """A command: `run.start` or `input.respond`, with its parameters."""

    model_config = ConfigDict(extra="ignore")

    id: int = Field(ge=0)
    method: str
    params: dict[str, JsonValue] = {}


class StartParams(BaseModel):
    """Parameters of `run.start`."""

    model_config = ConfigDict(extra="ignore")

    assistant_id: str
    input: dict[str, JsonValue] | None = None
    config: dict[str, JsonValue] = {}
    metadata: dict[str, JsonValue] = {}
    multitask_strategy: Literal["enqueue", "reject"] = "enqueue"


class AnswerParams(BaseModel):
    """One answer of `input.respond`."""

    model_config = ConfigDict(extra="ignore")

    interrupt_id: str
    response: JsonValue = None


@router.post("/stream/events")
async def stream_events(
    thread_id: UUID, body: Subscription, engine: TheEngine, principal: Anybody
) -> EventSourceResponse:
    """Follow a thread by the event stream protocol: from its present case on, or after the number `since`."""
    async with engine.database.transaction() as conn:
        thread = await get_thread(conn, str(thread_id), tenant=principal.tenant)
    await engine.teller.tell_what_waits(thread)
    start = await _start(engine, str(thread_id), body)
    return event_stream(_events(engine, thread, start, body))


@router.post("/commands")
async def command(thread_id: UUID, body: CommandBody, engine: TheEngine, principal: Anybody) -> Json:
    """Start a run on a thread, made if there is none, or answer what it waits for; what is wrong with it is said."""
    try:
        match body.method:
            case "run.start":
                answer = await _start_run(engine, principal, thread_id, body.params)
            case "input.respond":
                answer = await _respond(engine, principal, thread_id, body.params)
            case _:
                return _refusal(body.id, "unknown_command", f"There is no command {body.method!r} here.")
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:5])
        return _refusal(body.id, "invalid_argument", f"{body.method} does not fit: {said}")
    except GatehouseError as error:
        if error.status in _ANSWERED_AS_PROBLEMS:
            raise
        return _refusal(body.id, _code(error), f"{error.detail} {error.hint}".strip())
    return {"type": "success", "id": body.id} | answer


async def _start_run(engine: Engine, principal: Principal, thread_id: UUID, params: dict[str, JsonValue]) -> Json:
    asked = StartParams.model_validate(params)
    newest, _ = await newest_event(engine.database, str(thread_id))
    body = RunBody(if_not_exists="create", **asked.model_dump())
    run = await accept(engine, principal, body, thread_id=thread_id, stream_modes=STREAM_MODES)
    # Events up to this number belong to earlier runs: who hears of this run first need not be told them.
    return {"result": {"run_id": run.id}, "meta": {"applied_through_seq": _last_of(newest)}}


async def _respond(engine: Engine, principal: Principal, thread_id: UUID, params: dict[str, JsonValue]) -> Json:
    if "update" in params or "goto" in params:
        raise BypassRefused("An answer comes alone: `update` and `goto` beside it can move a run past its gate.")
    several = params.get("responses")
    given = several if isinstance(several, list) else [params]
    answers = [AnswerParams.model_validate(answer) for answer in given]
    if not answers:
        raise InvalidRequest("`responses` is empty.")
    for answer in answers:
        if not re.fullmatch(r"[0-9a-f]{32}", answer.interrupt_id):
            raise NothingToResume(f"The thread has no interrupt {answer.interrupt_id[:50]!r}.")
    value: JsonValue = {answer.interrupt_id: answer.response for answer in answers}
    run = await engine.answers.resume(str(thread_id), value, principal, stream_modes=STREAM_MODES)
    return {"result": {"run_id": run.id}}


async def _start(engine: Engine, thread_id: str, asked: Subscription) -> int:
    """The number of the kept event before the first one to read; what `since` leaves out is read and not told."""
    if asked.since is not None:
        _, first = await newest_event(engine.database, thread_id, upto=asked.since // NUMBERS_PER_EVENT)
        return max(0, first - 1)
    newest, _ = await newest_event(engine.database, thread_id)  # first: what comes after it is for this reader to hear
    case = await current_case(engine.database, thread_id)
    if case and asked.only_watches and not case.open and case.age_s > _FRESH_S:
        # Clients watch a thread before they start a run on it: the end of an old one would be that of theirs to them.
        return newest
    if case and not case.first:  # nothing yet, or streamed to nobody: what was told on the thread is of other cases
        return newest
    return case.first - 1 if case else 0


async def _events(engine: Engine, thread: Json, start: int, asked: Subscription) -> AsyncIterator[bytes]:
    translator = Translator()
    since = -1 if asked.since is None else asked.since
    thread_id, tenant = str(thread["id"]), thread["tenant"]
    async for page in engine.notices.follow_thread(thread_id, tenant=tenant, after=start):
        told = [event for kept in page for event in translator.events(kept) if event["seq"] > since]
        if body := b"".join(_sse(event) for event in told if asked.wants(event)):
            yield body


def _sse(event: Json) -> bytes:
    return sse(event["method"], orjson.dumps(event).decode(), event["seq"])


def _last_of(number: int) -> int:
    return number * NUMBERS_PER_EVENT + NUMBERS_PER_EVENT - 1 if number else 0


def _code(error: GatehouseError) -> str:
    if isinstance(error, NothingToResume):
        return "no_such_interrupt"
    return "not_supported" if isinstance(error, NotSupported) else "invalid_argument"


def _refusal(command_id: int, code: str, message: str) -> Json:
    return {"type": "error", "id": command_id, "error": code, "message": message}
