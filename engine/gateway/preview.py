"""What a call would change, read from its system before anybody decides about it. Nothing is written by looking."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from contracts.approval import Change
from contracts.errors import ToolError, ToolNotGranted
from contracts.tool import Call, Transport
from engine.gateway.capability import OnBehalf, token_family
from engine.gateway.ledger import Intent
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


@dataclass(frozen=True)
class Preview:
    """What came of looking."""

    jti: str
    """How the ids of the tokens began with which the system was asked."""
    changes: list[Change] | None
    """None where the system could not say, or not in time."""


async def preview_of(intent: Intent, behalf: OnBehalf, systems: Systems) -> Preview:
    """The changes that the tool's own system names. Raises `ToolNotGranted` for a preview that tries to write."""
    tool, key = intent.tool, intent.idempotency_key
    transport: Transport = _OnlyLooks(HttpTransport(systems, tool, key, writes=False, behalf=behalf))
    changes: list[Change] | None = None
    if tool.dry_run:
        try:
            async with asyncio.timeout(tool.timeout_s):
                changes = [*await tool.dry_run(tool.request.model_validate(intent.args), Call(key, transport))]
        except (ToolError, TimeoutError, ValidationError):
            changes = None
    return Preview(token_family(intent.call_key), changes)
