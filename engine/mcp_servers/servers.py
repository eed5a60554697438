"""Asks MCP servers what their tools are, and calls one that still is what was pinned."""

import asyncio
import contextlib
import logging
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from contracts.errors import ConfigurationError, ToolQuarantined, ToolUnavailable
from engine.mcp_servers.pins import Pinned, digest_of

if TYPE_CHECKING:
    from mcp.client import Client

_LOG = logging.getLogger("gatehouse.gateway")
_STDIO, _WEB = "mcp+stdio:", ("mcp+https://", "mcp+http://")
_MOST_PAGES = 50
_FAILURES: tuple[type[Exception], ...] = (ExceptionGroup, OSError, TimeoutError)
with contextlib.suppress(ImportError):  # an extra: without it no server is reached, and that is said then
    from httpx2 import HTTPError
    from mcp.shared.exceptions import MCPError

    _FAILURES = (*_FAILURES, HTTPError, MCPError)
_QUARANTINED: dict[tuple[str, str], str] = {}
"""Tools that were not what they were pinned as, and the pin: a server that takes it back is not believed again."""


@dataclass(frozen=True)
class Said:
    """What a server says of one tool."""

    name: str
    members: Mapping[str, Any]

    @property
    def digest(self) -> str:
        return digest_of(self.name, self.members)


@dataclass(frozen=True)
class Answered:
    """What became of a call: the value, or what the server said went wrong."""

    value: JsonValue
    failed: str = ""
    lost: str = ""
    """Why nobody knows what became of it."""


def is_mcp(address: str) -> bool:
    """Whether an address of a system is that of an MCP server: `mcp+https://…`, `mcp+http://…` or `mcp+stdio:…`."""
    return address.startswith((_STDIO, *_WEB))


async def tools_of(address: str, token: str | None = None) -> dict[str, Said]:
    """Every tool that a server offers. Raises `ToolUnavailable`."""
    async with _explained(address), _connected(address, token) as client:
        found = await _listed(client)
    return found


async def call_pinned(server: Pinned, system: str, tool: str, args: dict[str, Any], token: str | None) -> Answered:
    """Look at what the tool says it is now, and call it if that is what was pinned.

    Raises `ToolQuarantined` before anything is called, `ToolUnavailable` where the server cannot be reached or asked.
    """
    _require_trusted(server, system, tool)
    called = False
    try:
        async with _connected(server.address, token) as client:
            now = (await _listed(client)).get(tool)
            if now is not None and now.digest == server.tools[tool]:
                called = True
                result = await client.call_tool(tool, args)
    except _FAILURES as error:
        if called:
            return Answered(None, lost=_names(error))
        raise ToolUnavailable(f"The MCP server of {system!r} cannot be reached: {_names(error)}.") from None
    if not called:
        raise _quarantine(server, system, tool, gone=now is None)
    said = " ".join(str(getattr(part, "text", "")) for part in result.content)
    if result.is_error:
        return Answered(None, failed=said[:300] or "it failed and does not say why")
    return Answered(said if result.structured_content is None else result.structured_content)


def _require_trusted(server: Pinned, system: str, tool: str) -> None:
    pin = server.tools.get(tool)
    if pin is None:
        raise ToolQuarantined(f"'{system}.{tool}' is not pinned.", hint=_hint(system))
    if _QUARANTINED.get((system, tool)) == pin:
        raise ToolQuarantined(f"'{system}.{tool}' changed since it was pinned.", hint=_hint(system))


def _quarantine(server: Pinned, system: str, tool: str, *, gone: bool) -> ToolQuarantined:
    _QUARANTINED[system, tool] = server.tools[tool]
    said = "is not offered any more" if gone else "says that it is something else than when it was pinned"
    _LOG.error("the tool %s.%s %s", system, tool, said)
    return ToolQuarantined(f"'{system}.{tool}' {said}; nothing was called.", hint=_hint(system), facts={"first": True})


def _hint(system: str) -> str:
    return f"Look at what has changed and pin it again: gatehouse tools pin {system}"


@asynccontextmanager
async def _connected(address: str, token: str | None) -> AsyncIterator["Client"]:
    """A connection of its own: what is listed on it is what the server says now."""
    try:
        import httpx2  # noqa: PLC0415  # an extra, and takes a second
        from mcp.client import Client  # noqa: PLC0415
        from mcp.client.stdio import StdioServerParameters  # noqa: PLC0415
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415
    except ImportError:
        hint = "Install it: pip install 'gatehouse[mcp]'"
        raise ConfigurationError("MCP servers need an extra.", hint=hint) from None
    if address.startswith(_STDIO):
        command, *args = shlex.split(address.removeprefix(_STDIO)) or [""]
        # The library gives it a few plain variables and none of ours: no secret is inherited.
        async with Client(StdioServerParameters(command=command, args=args)) as client:
            yield client
        return
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(address.removeprefix("mcp+"), http_client=http)
        async with Client(transport) as client:
            yield client


async def _listed(client: "Client") -> dict[str, Said]:
    found: dict[str, Said] = {}
    cursor = None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            members = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
            found[tool.name] = Said(tool.name, {key: value for key, value in members.items() if key != "name"})
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


@asynccontextmanager
async def _explained(address: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(30):
            yield
    except _FAILURES as error:
        said = f"The MCP server at {address.partition('?')[0]} cannot be reached: {_names(error)}."
        raise ToolUnavailable(said, hint="Start it, and check the address.") from None


def _names(error: BaseException) -> str:
    """Kinds of errors, and never their text, which may quote anything."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(sorted({_names(inner) for inner in error.exceptions}))
    return type(error).__name__
