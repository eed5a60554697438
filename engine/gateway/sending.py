"""Sends one call to its system: a deadline, one retry layer for all, and what each failure says about the world."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast

from pydantic import ValidationError

from contracts.approval import JsonObject
from contracts.correction import failure_of
from contracts.errors import GatehouseError, HeldUp, ToolError, ToolOutcomeUnknown, ToolReplyInvalid, ToolUnavailable
from contracts.records import NO_RECORDS, Records
from contracts.tool import AnyTool, Call, Reply, Request, Tool
from engine.gateway.capability import OnBehalf
from engine.gateway.prose import without_strays
from engine.gateway.systems import Systems
from engine.gateway.transport import HttpTransport
from engine.traces.metrics import TOOL_CALLS, TOOL_SECONDS, counted

PAUSES_S = (0.1, 0.4)
"""Pauses before the second and third try of a call that may be repeated."""


@dataclass(frozen=True)
class Sending:
    """A call with an open ledger row, not to be sent first after `send_by` (monotonic seconds)."""

    key: str
    send_by: float
    doubtful: bool = False
    """Whether an earlier attempt may have acted."""
    failed_tries: list[JsonObject] = field(default_factory=list)
    """Errors of the tries that were followed by another."""
    records: Records = NO_RECORDS
    behalf: OnBehalf | None = None
    """For whom; None: the system is not told."""


async def send(tool: Tool[Request, Reply], request: Request, sending: Sending, systems: Systems) -> Reply:
    """One retry layer for all: what surely did not act, and what may be repeated under the same key.

    After a try that may have acted, no later failure says that nothing was done. Raises `ToolOutcomeUnknown` for what
    may have acted, another `ToolError` for what did not.
    """
    pauses = iter(PAUSES_S)
    may_have_acted = sending.doubtful
    while True:
        try:
            _require_in_time(tool, sending)
            return await try_once(tool, request, sending, systems)
        except ToolError as error:
            may_have_acted |= isinstance(error, ToolOutcomeUnknown)
            repeatable = tool.effect == "idempotent" if isinstance(error, ToolOutcomeUnknown) else error.retryable
            pause = None if isinstance(error, HeldUp) else next(pauses, None)
            if repeatable and pause is not None:
                sending.failed_tries.append(as_json(error))
                await asyncio.sleep(pause)
                continue
            if may_have_acted and not isinstance(error, ToolOutcomeUnknown):
                said = f"An earlier try of {tool.name!r} may have acted; the last one failed: {error.detail}"
                raise ToolOutcomeUnknown(said) from error
            raise


async def try_once(tool: Tool[Request, Reply], request: Request, sending: Sending, systems: Systems) -> Reply:
    """One try, within the tool's time, counted. Raises as `send` does."""
    with counted(TOOL_CALLS, TOOL_SECONDS, tool.name):
        return await _try(tool, request, sending, systems)


async def _try(tool: Tool[Request, Reply], request: Request, sending: Sending, systems: Systems) -> Reply:
    transport = HttpTransport(systems, tool, sending.key, writes=tool.writes, behalf=sending.behalf)
    lost = ToolOutcomeUnknown if tool.writes else ToolUnavailable
    try:
        async with asyncio.timeout(tool.timeout_s):
            return without_strays(await tool.run(request, Call(sending.key, transport, sending.records)))
    except TimeoutError as error:
        raise lost(f"{tool.name!r} did not answer within {tool.timeout_s:g} s.") from error
    except ValidationError as error:
        if tool.writes:
            raise lost(f"{tool.name!r} answered with something that its contract does not allow.") from error
        raise reply_invalid(tool, error) from error


async def look_up(tool: Tool[Request, Reply], request: Request, sending: Sending, systems: Systems) -> Reply | None:
    """What the system says became of the key; None when it took no such call.

    Raises `ToolRefused` when it says that it refused the call, another `ToolError` when it cannot be heard.
    """
    if tool.look_up is None:
        raise ToolUnavailable(f"{tool.name!r} has no way to look up what became of a call.")
    pauses = iter(PAUSES_S)
    while True:
        transport = HttpTransport(systems, tool, sending.key, writes=False, behalf=sending.behalf)
        try:
            async with asyncio.timeout(tool.timeout_s):
                return await tool.look_up(request, Call(sending.key, transport))
        except ValidationError as error:
            raise reply_invalid(tool, error) from error
        except (ToolUnavailable, TimeoutError) as error:
            pause = next(pauses, None)
            if pause is None:
                raise ToolUnavailable(f"{tool.system!r} could not be asked what became of the call.") from error
            await asyncio.sleep(pause)


def reply_invalid(tool: AnyTool, error: ValidationError) -> ToolReplyInvalid:
    """A reply that its contract does not allow, without its text."""
    return ToolReplyInvalid(f"The reply of {tool.name!r} does not fit its contract: {error.error_count()} problems.")


def as_json(error: GatehouseError) -> JsonObject:
    """An error as the ledger and the audit trail keep it."""
    told = failure_of(error)
    said = {"code": told["code"], "category": told["category"], "detail": told["message"]}
    return cast(JsonObject, {**said, "hint": told["hint"], "retryable": told["retryable"]})


def _require_in_time(tool: AnyTool, sending: Sending) -> None:
    if tool.writes and time.monotonic() > sending.send_by:
        raise HeldUp(f"{tool.name!r} was not sent: this worker was held up and may be replaced by now.")
