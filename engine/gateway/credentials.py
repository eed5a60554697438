"""Puts on each request to an outside system what shows who asks: its capability, and a token of the system's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import httpx

from contracts.tool import AnyTool
from engine.gateway.capability import Mint, OnBehalf
from engine.gateway.exchange import Exchanger

HEADER = "Gatehouse-Capability"
Placing = Literal["authorization", "header", "off"]


@dataclass(frozen=True)
class Credentials:
    """For systems whose placing is not given, a capability is the bearer token where there is no other."""

    mint: Mint
    exchanger: Exchanger
    placing: Mapping[str, Placing] = field(default_factory=dict)

    async def put_on(self, request: httpx.Request, behalf: OnBehalf, tool: AnyTool, *, writes: bool) -> None:
        """Adds headers to a request that is complete otherwise. Raises `ToolUnavailable`, `ToolRefused`."""
        if token := await self.exchanger.token(behalf, tool):
            request.headers["Authorization"] = f"Bearer {token}"
        taken = "authorization" in request.headers
        place = self.placing.get(tool.system, "header" if taken else "authorization")
        if place == "off":
            return
        capability = self.mint.capability(behalf, tool, request, writes=writes)
        if place == "authorization":
            request.headers["Authorization"] = f"Bearer {capability}"
        else:
            request.headers[HEADER] = capability


def secrets_of(request: httpx.Request) -> list[bytes]:
    """What a request carries that nobody should read in its answer."""
    found = (request.headers.get(name, "").removeprefix("Bearer ") for name in ("authorization", HEADER))
    return [secret.encode() for secret in found if secret]
