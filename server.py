"""HTTP door: settings, wiring, FastAPI. `uvicorn server:app` or `gatehouse serve`."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from httpx import AsyncClient

from api.app import create_app
from api.watched import watched
from contracts.errors import ConfigurationError
from engine.access.addresses import is_loopback
from engine.access.keys import any_keys
from engine.settings import Settings, read_settings
from engine.store.scope import across_tenants
from engine.wiring import Engine, open_engine, running_worker

_LOG = logging.getLogger("gatehouse.server")


def build(settings: Settings, systems: Mapping[str, AsyncClient] | None = None) -> FastAPI:
    """The application for these settings; with `settings.worker` it carries runs, too.

    `systems` are reached through these clients instead of their configured addresses.
    """

    @asynccontextmanager
    async def opened() -> AsyncIterator[Engine]:
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(open_engine(settings, notify=_LOG.info))
            await _refuse_open_door(engine)
            for name, client in (systems or {}).items():
                engine.carrier.systems.use(name, client)
            await stack.enter_async_context(watched(engine))
            if settings.worker:
                await stack.enter_async_context(running_worker(engine))
            _LOG.info("Gatehouse listens on http://%s:%d (API: /docs)", settings.host, settings.port)
            yield engine

    return create_app(opened, max_body_bytes=settings.max_body_bytes)


async def _refuse_open_door(engine: Engine) -> None:
    with across_tenants("whether anybody has a key"):
        async with engine.database.transaction() as conn:
            if is_loopback(engine.settings.host) or engine.settings.oidc or await any_keys(conn):
                return
    raise ConfigurationError(
        f"The server would listen on {engine.settings.host!r} for everybody: there is no API key.",
        hint="Make one with: gatehouse keys create NAME --role operator",
    )


def __getattr__(name: str) -> FastAPI:
    # Built when a server asks for it, so that importing this module needs no configuration.
    if name == "app":
        return build(read_settings())
    raise AttributeError(name)
