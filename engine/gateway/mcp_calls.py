"""Calls tools of MCP servers, which are what they were pinned as or are not called."""

import json
from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from contracts.errors import ToolOutcomeUnknown, ToolRefused, ToolUnavailable
from contracts.tool import AnyTool
from engine.credentials.redactor import KNOWN
from engine.gateway.systems import Systems
from engine.mcp_servers.pins import Pinned
from engine.mcp_servers.servers import call_pinned


async def call_by_mcp(
    systems: Systems, tool: AnyTool, operation: str, body: JsonValue | Mapping[str, JsonValue], *, writes: bool
) -> JsonValue:
    """What the server answers. Raises `ToolQuarantined`, and what a transport raises."""
    server = Pinned(systems.address(tool.system), systems.pinned_tools(tool.system))
    args = dict(body) if isinstance(body, Mapping) else {}
    answer = await call_pinned(server, tool.system, operation, args, systems.token(tool.system))
    if answer.lost:
        lost = ToolOutcomeUnknown if writes else ToolUnavailable
        raise lost(f"{tool.name!r} got no answer: {answer.lost}.")
    if answer.failed:
        raise ToolRefused(f"{tool.name!r} was refused: {KNOWN.prose(answer.failed)}")
    return cast(JsonValue, json.loads(KNOWN.text(json.dumps(answer.value))))
