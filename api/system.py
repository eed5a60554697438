"""Health and what this server is."""

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter

from api.door import TheEngine
from engine.store.scope import across_tenants

router = APIRouter()


@router.get("/ok", tags=["system"])
async def ok(engine: TheEngine) -> dict[str, bool]:
    """Whether the server and its database answer."""
    with across_tenants("whether the database answers"):
        await engine.database.fetch("SELECT 1")
    return {"ok": True}


@router.get("/.well-known/jwks.json", tags=["system"])
async def keys(engine: TheEngine) -> dict[str, Any]:
    """Public keys by which outside systems check the token of each call."""
    credentials = engine.carrier.systems.credentials
    return credentials.mint.published() if credentials else {"keys": []}


@router.get("/info", tags=["system"])
async def info() -> dict[str, Any]:
    """Version of the server and what clients may expect of it."""
    return {
        "version": version("gatehouse"),
        "langgraph_py_version": version("langgraph"),
        "flags": {"assistants": True, "crons": True, "langsmith": False, "gates": True},
    }
