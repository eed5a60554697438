"""What a call would change, read from its system before anybody decides about it. Nothing is written by looking."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from contracts.approval import Change, JsonObject
from contracts.errors import ToolError, ToolNotGranted
from contracts.tool import AnyTool, Call, Transport
from engine.gateway.capability import OnBehalf
from engine.gateway.systems import Systems
from engine.gateway.transport import HttpTransport

_LOOKS = ("GET", "HEAD")


@dataclass(frozen=True)
class _OnlyLooks:
    """A transport that reads: a preview that tries to write is refused before anything is sent."""

    transport: Transport

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, JsonValue] | JsonValue = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonValue:
        if method.upper() not in _LOOKS:
            raise ToolNotGranted(f"A preview only looks; it tried {method} {path}.")
        return await self.transport(method, path, body=body, query=query, headers=headers)


async def preview_of(
    tool: AnyTool, args: JsonObject, systems: Systems, *, key: str, behalf: OnBehalf
) -> list[Change] | None:
    """The changes that the tool's own system names; None where it has no preview, or could not be asked in time.

    Raises `ToolNotGranted` for a preview that tries to write.
    """
    if tool.dry_run is None:
        return None
    transport = _OnlyLooks(HttpTransport(systems, tool, key, writes=False, behalf=behalf))
    try:
        async with asyncio.timeout(tool.timeout_s):
            return [*await tool.dry_run(tool.request.model_validate(args), Call(key, transport))]
    except (ToolError, TimeoutError, ValidationError):
        return None
