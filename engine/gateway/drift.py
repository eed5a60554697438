"""Whether what an approval was given upon still holds when its call is about to be made."""

import asyncio

from pydantic import JsonValue

from contracts.errors import PreconditionsChanged, ToolUnavailable
from contracts.tool import Call, Reply, Request, Tool
from engine.gateway.sending import PAUSES_S, Sending
from engine.gateway.systems import Systems
from engine.gateway.transport import HttpTransport


async def require_unchanged(tool: Tool[Request, Reply], request: Request, sending: Sending, systems: Systems) -> None:
    """Raises `PreconditionsChanged` naming what has changed, `ToolUnavailable` when nobody can say, `ToolRefused`."""
    now = await _reread(tool, request, sending, systems)
    shown: dict[str, JsonValue] = request.model_dump(mode="json")
    differing = (name for name in tool.preconditions if name in now and now[name] != shown[name])
    changed = {name: {"approved": shown[name], "now": now[name]} for name in differing}
    if changed:
        said = ", ".join(f"{name} was {of['approved']!r} and is {of['now']!r}" for name, of in changed.items())
        raise PreconditionsChanged(
            f"What {tool.name!r} was approved upon has changed: {said}.",
            hint="The approval does not count any more. The case is looked at again as it stands now.",
            facts={"changed": changed},
        )


async def _reread(
    tool: Tool[Request, Reply], request: Request, sending: Sending, systems: Systems
) -> dict[str, JsonValue]:
    if tool.reread is None:
        return {}
    pauses = iter(PAUSES_S)
    while True:
        transport = HttpTransport(systems, tool, sending.key, writes=False, behalf=sending.behalf)
        try:
            async with asyncio.timeout(tool.timeout_s):
                return dict(await tool.reread(request, Call(sending.key, transport)))
        except (ToolUnavailable, TimeoutError) as error:
            pause = next(pauses, None)
            if pause is None:
                raise ToolUnavailable(f"{tool.system!r} cannot say whether {tool.name!r} still holds.") from error
            await asyncio.sleep(pause)
