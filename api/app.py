"""Joins the routes to an engine."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version as installed_version

from fastapi import FastAPI

from api import (
    approvals,
    assistants,
    audit,
    crons,
    effects,
    faces,
    inspection,
    operations,
    protocol,
    runs,
    stateless,
    states,
    store,
    system,
    thread_streams,
    threads,
    versions,
    webhooks,
)
from api.door import BodyLimit
from api.problems import add_problem_handlers
from api.traffic import Traffic
from engine.wiring import Engine

_ROOMS = (
    system,
    operations,
    assistants,
    threads,
    states,
    crons,
    runs,
    stateless,
    inspection,
    thread_streams,
    protocol,
    store,
    faces,
    approvals,
    audit,
    effects,
    versions,
    webhooks,
)


def create_app(open_engine: Callable[[], AbstractAsyncContextManager[Engine]], *, max_body_bytes: int) -> FastAPI:
    """The HTTP application; the engine is opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_engine() as engine:
            app.state.engine = engine
            yield

    app = FastAPI(title="Gatehouse", version=installed_version("gatehouse"), lifespan=lifespan)
    app.add_middleware(BodyLimit, limit=max_body_bytes)
    app.add_middleware(Traffic)
    add_problem_handlers(app)
    for room in _ROOMS:
        app.include_router(room.router)
    return app
