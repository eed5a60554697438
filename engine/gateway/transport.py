"""HTTP to one outside system, and what each failure means: refused, not reached, or nobody knows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from pydantic import JsonValue

from contracts.errors import ToolError, ToolOutcomeUnknown, ToolRefused, ToolUnavailable
from contracts.tool import AnyTool
from engine.credentials.redactor import KNOWN
from engine.gateway.capability import OnBehalf
from engine.gateway.credentials import secrets_of
from engine.gateway.mcp_calls import call_by_mcp
from engine.gateway.systems import Systems

_OWN_HEADERS = {"authorization", "proxy-authorization", "host", "cookie", "content-length", "idempotency-key"}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True)
class HttpTransport:
    """`contracts.tool.Transport` over the client of a system, which knows its address and credentials."""

    systems: Systems
    tool: AnyTool
    idempotency_key: str
    writes: bool
    """Whether what is sent changes something: a look-up of a write does not."""
    behalf: OnBehalf | None = None
    """For whom; None: nobody is told."""

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        body: JsonValue | Mapping[str, JsonValue] = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonValue:
        if self.systems.speaks_mcp(self.tool.system):
            return await call_by_mcp(self.systems, self.tool, path, body, writes=self.writes)
        sent = {name: value for name, value in (headers or {}).items() if name.lower() not in _OWN_HEADERS}
        if self.writes:
            sent["Idempotency-Key"] = self.idempotency_key
        try:
            client = self.systems.client(self.tool.system)
            request = client.build_request(
                method, path, json=body, params=query, headers=sent, timeout=self.tool.timeout_s
            )
            if token := self.systems.token(self.tool.system):
                request.headers["Authorization"] = f"Bearer {token}"
            if self.systems.credentials and self.behalf:
                await self.systems.credentials.put_on(request, self.behalf, self.tool, writes=self.writes)
            reply = await client.send(request)
        except _NOT_SENT as error:
            raise ToolUnavailable(f"{self.tool.system!r} cannot be reached: {type(error).__name__}.") from error
        except httpx.HTTPError as error:
            raise self._lost(f"{self.tool.name!r} got no answer: {type(error).__name__}.") from error
        return self._decoded(reply)

    def _decoded(self, reply: httpx.Response) -> JsonValue:
        if reply.status_code >= 500:
            raise self._lost(f"{self.tool.name!r} was answered {reply.status_code}.")
        content = KNOWN.text(_without_tokens(reply).decode(errors="replace"))
        if reply.status_code >= 400:
            said = KNOWN.prose(content)[:300]
            raise ToolRefused(
                f"{self.tool.name!r} was refused with {reply.status_code}: {said}",
                facts={"tool_status": reply.status_code},
            )
        if not content:
            return None
        try:
            value: JsonValue = json.loads(content)
        except ValueError as error:
            raise self._lost(f"{self.tool.name!r} answered with something that is not JSON.") from error
        return value

    def _lost(self, detail: str) -> ToolError:
        """After sending, a write may have happened; a read changed nothing."""
        return ToolOutcomeUnknown(detail) if self.writes else ToolUnavailable(detail)


def _without_tokens(reply: httpx.Response) -> bytes:
    """A system may repeat the credentials that it was sent, and what it says is kept."""
    content = reply.content
    for secret in secrets_of(reply.request):
        content = content.replace(secret, b"[token]")
    return content
