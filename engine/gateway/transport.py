"""HTTP to one outside system, and what each failure means: refused, not reached, or nobody knows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from pydantic import JsonValue

from contracts.errors import ToolError, ToolOutcomeUnknown, ToolRefused, ToolUnavailable
from contracts.tool import AnyTool

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True)
class HttpTransport:
    """`contracts.tool.Transport` over an httpx client that knows the system's address and credentials."""

    client: httpx.AsyncClient
    tool: AnyTool
    idempotency_key: str

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, JsonValue] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> JsonValue:
        headers = {"Idempotency-Key": self.idempotency_key} if self.tool.writes else {}
        try:
            reply = await self.client.request(
                method, path, json=body, params=query, headers=headers, timeout=self.tool.timeout_s
            )
        except _NOT_SENT as error:
            raise ToolUnavailable(f"{self.tool.system!r} cannot be reached: {type(error).__name__}.") from error
        except httpx.HTTPError as error:
            raise self._lost(f"{self.tool.name!r} got no answer: {type(error).__name__}.") from error
        return self._decoded(reply)

    def _decoded(self, reply: httpx.Response) -> JsonValue:
        if reply.status_code >= 500:
            raise self._lost(f"{self.tool.name!r} was answered {reply.status_code}.")
        content = self._without_token(reply.content)
        if reply.status_code >= 400:
            said = content.decode(errors="replace")[:300]
            raise ToolRefused(
                f"{self.tool.name!r} was refused with {reply.status_code}: {said}",
                facts={"tool_status": reply.status_code},
            )
        try:
            value: JsonValue = json.loads(content)
        except ValueError as error:
            raise self._lost(f"{self.tool.name!r} answered with something that is not JSON.") from error
        return value

    def _without_token(self, content: bytes) -> bytes:
        """A system may repeat the credential that it was sent, and what it says is kept."""
        token = self.client.headers.get("authorization", "").removeprefix("Bearer ").encode()
        return content.replace(token, b"[token]") if token else content

    def _lost(self, detail: str) -> ToolError:
        """After sending, a write may have happened; a read changed nothing."""
        return ToolOutcomeUnknown(detail) if self.tool.writes else ToolUnavailable(detail)
