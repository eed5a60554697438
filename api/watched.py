"""A port of its own for machines that watch: metrics and health, of a server or a worker."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from api import operations
from api.problems import add_problem_handlers
from api.traffic import Traffic
from engine.wiring import Engine


class _Beside(uvicorn.Server):
    """A server beside other work: signals are for whoever does that."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def create_watched(engine: Engine) -> FastAPI:
    """What the port answers; `settings.metrics_open` lets everybody who reaches it read the metrics."""
    app = FastAPI(title="Gatehouse", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.engine = engine
    app.state.metrics_open = engine.settings.metrics_open
    app.add_middleware(Traffic)
    add_problem_handlers(app)
    app.include_router(operations.router)
    return app


@asynccontextmanager
async def watched(engine: Engine) -> AsyncIterator[None]:
    """Answer on `settings.metrics_port` while the block runs, if there is one."""
    settings = engine.settings
    if settings.metrics_port is None:
        yield
        return
    app = create_watched(engine)
    config = uvicorn.Config(app, settings.host, settings.metrics_port, log_config=None, access_log=False)
    server = _Beside(config)
    serving = asyncio.create_task(server.serve(), name="metrics and health")
    try:
        yield
    finally:
        server.should_exit = True
        await serving
