"""The HTTP routes without a server: asked in this process, over the configured database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from api.app import create_app
from api.door import who
from commands.client import read_reply
from commands.terminal import note
from engine.access.keys import Principal
from engine.settings import read_settings
from engine.store.database import Connection
from engine.wiring import open_engine

_TIME_S = 600
_BASE = "http://127.0.0.1"


def request_inside(
    method: str,
    path: str,
    *,
    principal: Callable[[Connection], Awaitable[Principal]],
    body: Any = None,
    query: dict[str, Any] | None = None,
) -> Any:
    """One request as `principal`; nothing listens on a port. Raises what the same request to a server raises."""
    return asyncio.run(_request(method, path, principal, body, query or {}))


async def _request(
    method: str,
    path: str,
    principal: Callable[[Connection], Awaitable[Principal]],
    body: Any,
    query: dict[str, Any],
) -> Any:
    settings = read_settings()
    async with open_engine(settings, notify=note, serves=False) as engine:
        async with engine.database.transaction() as conn:
            caller = await principal(conn)
        app = create_app(lambda: open_engine(settings, notify=note), max_body_bytes=settings.max_body_bytes)
        app.state.engine = engine
        app.dependency_overrides[who] = lambda: caller
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=_BASE, timeout=_TIME_S) as client:
            reply = await client.request(method, path, json=body, params=query)
    return read_reply(reply)
