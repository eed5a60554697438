"""Beside LangGraph's own server for development, as its `http.app` of langgraph.json: runs there reach our gateway.

Approvals and the audit trail are served there; nothing of its state, queue or streams is ours.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import approvals, audit
from api.problems import add_problem_handlers
from contracts.context import offer
from engine.settings import read_settings
from engine.wiring import open_engine
from engine.worker.elsewhere import Elsewhere

SERVER = "langgraph dev"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """An engine on the database of the settings, without a worker, for as long as the server runs."""
    async with open_engine(read_settings(), notify=_note) as engine:
        app.state.engine = engine
        ports = Elsewhere(engine.carrier, SERVER)
        offer(ports)
        try:
            yield
        finally:
            offer(None)
            await ports.close()


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")


app = FastAPI(title="Gatehouse beside LangGraph", lifespan=lifespan)
add_problem_handlers(app)
for room in (approvals, audit):
    app.include_router(room.router)
