"""The HTTP routes without a server: asked in this process, over the configured database."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import httpx

from api.app import create_app
from api.door import who
from commands.client import read_reply
from commands.terminal import note
from engine.access.keys import Principal
from engine.settings import Settings, read_settings
from engine.store.database import Connection
from engine.store.scope import across_tenants
from engine.wiring import open_engine

Send = Callable[[str, str, Any], Any]
"""Method, path and body of a request; returns the decoded reply."""
_TIME_S = 600
_BASE = "http://127.0.0.1"


@contextmanager
def inside(principal: Callable[[Connection], Awaitable[Principal]]) -> Iterator[Send]:
    """Requests as `principal`; nothing listens on a port. Each raises what it would raise at a server."""
    settings, stack = read_settings(), AsyncExitStack()
    with asyncio.Runner() as loop:
        try:
            client = loop.run(_client(settings, stack, principal))
            yield lambda method, path, body: read_reply(loop.run(client.request(method, path, json=body)))
        finally:
            loop.run(stack.aclose())


async def _client(
    settings: Settings, stack: AsyncExitStack, principal: Callable[[Connection], Awaitable[Principal]]
) -> httpx.AsyncClient:
    engine = await stack.enter_async_context(open_engine(settings, notify=note, serves=False))
    with across_tenants("whose key it is"):
        async with engine.database.transaction() as conn:
            caller = await principal(conn)
    app = create_app(lambda: open_engine(settings, notify=note), max_body_bytes=settings.max_body_bytes)
    app.state.engine = engine
    app.dependency_overrides[who] = lambda: caller
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=_BASE, timeout=_TIME_S)
    return await stack.enter_async_context(client)
