"""Health and what this server is."""

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter

from api.bodies import SearchBody
from api.door import Anybody, TheEngine
from api.shapes import assistant_id_of, assistant_json
from contracts.errors import NotFound
from engine.catalog.catalog import Catalog
from engine.catalog.workflow import Workflow

router = APIRouter()


@router.get("/ok", tags=["system"])
async def ok(engine: TheEngine) -> dict[str, bool]:
    """Whether the server and its database answer."""
    await engine.database.fetch("SELECT 1")
    return {"ok": True}


@router.get("/info", tags=["system"])
async def info() -> dict[str, Any]:
    """Version of the server and what clients may expect of it."""
    return {
        "version": version("gatehouse"),
        "langgraph_py_version": version("langgraph"),
        "flags": {"assistants": True, "crons": False, "langsmith": False, "gates": True},
    }


@router.post("/assistants/search", tags=["assistants"])
async def search_assistants(body: SearchBody, engine: TheEngine, principal: Anybody) -> list[dict[str, Any]]:
    """One default assistant for each workflow."""
    found = [w for w in engine.catalog.values() if body.graph_id in (None, w.name)]
    return [assistant_json(workflow) for workflow in found[body.offset : body.offset + body.limit]]


@router.get("/assistants/{assistant_id}", tags=["assistants"])
async def get_assistant(assistant_id: str, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """One assistant, by its id or its graph's name."""
    return assistant_json(workflow_of(engine.catalog, assistant_id))


def workflow_of(catalog: Catalog, assistant_id: str) -> Workflow:
    """The workflow of an assistant id or a graph's name. Raises `NotFound`."""
    for workflow in catalog.values():
        if assistant_id in (workflow.name, assistant_id_of(workflow.name)):
            return workflow
    raise NotFound(f"There is no assistant {assistant_id!r}.", hint=f"Workflows here: {', '.join(sorted(catalog))}.")
