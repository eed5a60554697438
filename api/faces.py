"""Other protocols under which workflows can be called; their libraries are optional and loaded on the first call."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, Request, Response

from api.assistants import AssistantId
from api.door import Anybody, Caller, TheEngine
from contracts.errors import NotSupported
from engine.assistants.assistants import find_assistant

router = APIRouter(tags=["faces"])


@router.api_route("/mcp", methods=["GET", "POST", "DELETE"], include_in_schema=False)
async def mcp(engine: TheEngine, principal: Caller) -> Response:
    """Workflows as tools of the Model Context Protocol, over streamable HTTP without sessions."""
    with _installed("mcp"):
        from api.mcp import McpAnswer  # noqa: PLC0415  # 29 MB and 0.7 s that most servers never need
    return McpAnswer(engine, principal)


@router.post("/a2a/{assistant_id}", include_in_schema=False)
async def a2a(assistant_id: AssistantId, request: Request, engine: TheEngine, principal: Caller) -> Response:
    """An assistant as an agent of the Agent2Agent protocol: JSON-RPC and server-sent events."""
    with _installed("a2a"):
        from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher  # noqa: PLC0415  # 16 MB and 0.6 s

        from api.a2a import Agent  # noqa: PLC0415
    async with engine.database.transaction() as conn:
        _, assistant = await find_assistant(conn, engine.catalog, assistant_id, principal.tenant)
    agent = JsonRpcDispatcher(Agent(engine, principal, assistant), enable_v0_3_compat=True)
    return await agent.handle_requests(request)


@router.get("/a2a/{assistant_id}/.well-known/agent-card.json")
async def card(assistant_id: AssistantId, request: Request, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """What clients of the Agent2Agent protocol read of an assistant."""
    with _installed("a2a"):
        from api.a2a import card_json  # noqa: PLC0415
    async with engine.database.transaction() as conn:
        workflow, assistant = await find_assistant(conn, engine.catalog, assistant_id, principal.tenant)
    return card_json(assistant, workflow.version, str(request.url_for("a2a", assistant_id=assistant_id)))


@contextmanager
def _installed(extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise NotSupported(
            f"This server was installed without {extra!r}.", hint=f"Install gatehouse[{extra}]."
        ) from error
