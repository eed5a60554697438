"""Workflows as tools of the Model Context Protocol: a call starts a run on a thread of its own and waits for it."""

import json
import logging
from typing import Any

from fastapi.encoders import jsonable_encoder
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.answers import result_of
from api.calling import start
from contracts.errors import GatehouseError
from engine.access.keys import Principal
from engine.wiring import Engine

_LOG = logging.getLogger("gatehouse.api")
_Context = ServerRequestContext[Any, Any]


class McpAnswer(Response):
    """What the official library answers to one request: nothing is kept between requests, so any replica may get it."""

    def __init__(self, engine: Engine, principal: Principal) -> None:
        super().__init__()
        self._engine = engine
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = Server("gatehouse", on_list_tools=self._list, on_call_tool=self._call)
        limit = self._engine.settings.max_body_bytes
        manager = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=limit)
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    async def _list(self, ctx: _Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        tools = [
            Tool(name=w.name, description=w.policy.purpose, input_schema=w.graph.get_input_jsonschema())
            for w in self._engine.catalog.values()
        ]
        return ListToolsResult(tools=tools)

    async def _call(self, ctx: _Context, params: CallToolRequestParams) -> CallToolResult:
        try:
            return await self._run(params.name, params.arguments or {})
        except GatehouseError as error:
            told = {"error": error.code, "message": error.detail, "hint": error.hint}
            return _result(error.facts | told, failed=True)
        except Exception:  # noqa: BLE001  # the library would show the caller the text of any failure
            _LOG.exception("a call of the tool %r failed", params.name)
            return _result({"error": GatehouseError.code, "message": "The server failed; see its log."}, failed=True)

    async def _run(self, workflow: str, arguments: dict[str, Any]) -> CallToolResult:
        accepted = await start(self._engine, self._principal, workflow, arguments)
        run = await self._engine.notices.wait_for_end(accepted.id, tenant=accepted.tenant)
        where = {"thread_id": run.thread_id, "run_id": run.id, "status": run.status, "outcome": run.outcome}
        return _result(where | await result_of(self._engine, run), failed=run.status == "error")


def _result(value: dict[str, Any], *, failed: bool) -> CallToolResult:
    told = jsonable_encoder(value)
    return CallToolResult(
        content=[TextContent(type="text", text=json.dumps(told))], structured_content=told, is_error=failed
    )
