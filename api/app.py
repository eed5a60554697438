"""Joins the routes to an engine."""

import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version as installed_version

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import (
    approvals,
    assistants,
    audit,
    autonomy,
    crons,
    effects,
    escalation,
    faces,
    inbound,
    inspection,
    limits,
    operations,
    people,
    protocol,
    queues,
    runs,
    stateless,
    states,
    stats,
    store,
    system,
    thread_streams,
    threads,
    versions,
    webhooks,
)
from api.document import describe
from api.door import BodyLimit
from api.problems import add_problem_handlers
from api.traffic import Traffic
from contracts.errors import GatehouseError
from engine.wiring import Engine

_LOG = logging.getLogger("gatehouse.server")
_ABOUT = """The LangGraph API, and what Gatehouse adds to it: approvals, effects, audit, versions, webhooks.

Make a key with `gatehouse keys create NAME --role caller` and give it under *Authorize*. What is refused is answered as
a problem document (RFC 9457): `detail` says what happened, `hint` what to do, and `code` is stable."""

# What is asked most stands first: routes are tried one after another.
ROOMS = (
    runs,
    stateless,
    threads,
    states,
    assistants,
    crons,
    system,
    operations,
    inspection,
    thread_streams,
    protocol,
    store,
    faces,
    approvals,
    escalation,
    queues,
    limits,
    audit,
    effects,
    stats,
    versions,
    autonomy,
    webhooks,
    people,
    inbound,
)


def create_app(open_engine: Callable[[], AbstractAsyncContextManager[Engine]], *, max_body_bytes: int) -> FastAPI:
    """The HTTP application; the engine is opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                app.state.engine = await stack.enter_async_context(open_engine())
            except GatehouseError as error:
                # Told here in two sentences: what uvicorn makes of it is a long traceback, which the log leaves out.
                _LOG.critical("This server cannot start (%s): %s %s", error.code, error.detail, error.hint)
                raise
            # What stands now stays: the collector looks at it no more. Every tenth answer came twice as late for that.
            gc.collect()
            gc.freeze()
            yield

    # Serves what the page at /docs is made of by itself: the network of an installation may lead nowhere.
    app = FastAPIOffline(
        redoc_url=None,
        title="Gatehouse",
        description=_ABOUT,
        version=installed_version("gatehouse"),
        lifespan=lifespan,
        swagger_ui_parameters={"persistAuthorization": True},
    )
    app.add_middleware(BodyLimit, limit=max_body_bytes)
    app.add_middleware(Traffic)
    add_problem_handlers(app)
    for room in ROOMS:
        app.include_router(room.router)
    app.openapi = describe(app, [room.router for room in ROOMS])  # type: ignore[method-assign]  # as FastAPI's documentation does it
    return app
