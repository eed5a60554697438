"""Assistants: one of each workflow's own, and those that callers make, with versions, drawings and schemas."""

from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Response
from pydantic import Field, JsonValue

from api.bodies import Body
from api.door import Anybody, Operator, TheEngine
from api.drawings import graph_json, schemas_json, subgraphs_json
from api.pages import Limit, Offset, selected, set_page_headers
from api.shapes import assistant_json
from contracts.errors import AlreadyExists, NotSupported
from engine.access.keys import Principal
from engine.assistants import assistants
from engine.assistants.model import Setup, SortBy, Wanted
from engine.catalog.workflow import Graph
from engine.runs.threads import ThreadFilter, search_threads
from engine.wiring import Engine

_THREADS = 1000
router = APIRouter(prefix="/assistants", tags=["assistants"])

Object = dict[str, JsonValue]
Json = dict[str, Any]
AssistantId = Annotated[str, Path(description="An assistant's id, or a workflow's name.", pattern=r"^[^\x00]+$")]
Member = Literal[
    "assistant_id", "graph_id", "name", "description", "config", "context", "created_at", "updated_at", "metadata",
    "version",
]  # fmt: skip


class AssistantBody(Body):
    """`assistants.create`."""

    graph_id: str
    assistant_id: UUID = Field(default_factory=uuid4)
    name: str = Field("Untitled", min_length=1, max_length=200)
    description: str | None = Field(None, max_length=2000)
    config: Object = Field(default_factory=dict)
    context: Object = Field(default_factory=dict)
    metadata: Object = Field(default_factory=dict)
    if_exists: Literal["raise", "do_nothing"] = "raise"


class ChangeBody(Body):
    """`assistants.update`: what is given replaces what was there; `metadata` is merged into it."""

    graph_id: str | None = None
    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=2000)
    config: Object | None = None
    context: Object | None = None
    metadata: Object = Field(default_factory=dict)

    def change(self, setup: Setup) -> Setup:
        given = self.model_dump(exclude_none=True, exclude={"graph_id", "metadata"})
        metadata = setup.metadata | self.metadata
        return replace(setup, workflow=self.graph_id or setup.workflow, metadata=metadata, **given)


class CountBody(Body):
    """`assistants.count`."""

    graph_id: str | None = None
    name: str | None = None
    metadata: Object | None = None

    def wanted(self) -> Wanted:
        return Wanted(workflow=self.graph_id, name=self.name, metadata=self.metadata or {})


class SearchBody(CountBody):
    """`assistants.search`."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: SortBy = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    select: list[Member] | None = None

    def wanted(self) -> Wanted:
        ascending = self.sort_order == "asc"
        part = replace(super().wanted(), limit=self.limit, offset=self.offset)
        return replace(part, sort_by=self.sort_by, ascending=ascending)


class VersionsBody(Body):
    """`assistants.get_versions`."""

    metadata: Object | None = None
    limit: Limit = 10
    offset: Offset = 0


class LatestBody(Body):
    """`assistants.set_latest`."""

    version: int = Field(ge=1, le=1_000_000_000)


@router.post("")
async def create(body: AssistantBody, engine: TheEngine, principal: Operator) -> Json:
    """Make an assistant: a workflow with a configuration and a context of its own."""
    setup = Setup(body.graph_id, body.name, body.description, body.config, body.context, body.metadata)
    async with engine.database.transaction() as conn:
        try:
            made = await assistants.create_assistant(
                conn, engine.catalog, setup, principal, assistant_id=str(body.assistant_id)
            )
        except AlreadyExists:
            if body.if_exists == "raise":
                raise
            made = await assistants.get_assistant(conn, engine.catalog, str(body.assistant_id), principal.tenant)
    return assistant_json(made)


@router.post("/search")
async def search(body: SearchBody, engine: TheEngine, principal: Anybody, response: Response) -> list[Json]:
    """The workflows' own assistants and those that callers made."""
    async with engine.database.transaction() as conn:
        found, total = await assistants.search_assistants(conn, engine.catalog, principal.tenant, body.wanted())
    set_page_headers(response, total=total, offset=body.offset, limit=body.limit)
    return [selected(assistant_json(assistant), body.select) for assistant in found]


@router.post("/count")
async def count(body: CountBody, engine: TheEngine, principal: Anybody) -> int:
    """How many assistants a search would find."""
    async with engine.database.transaction() as conn:
        _, total = await assistants.search_assistants(conn, engine.catalog, principal.tenant, body.wanted())
    return total


@router.get("/{assistant_id}")
async def get(assistant_id: AssistantId, engine: TheEngine, principal: Anybody) -> Json:
    """One assistant."""
    async with engine.database.transaction() as conn:
        return assistant_json(await assistants.get_assistant(conn, engine.catalog, assistant_id, principal.tenant))


@router.patch("/{assistant_id}")
async def change(assistant_id: AssistantId, body: ChangeBody, engine: TheEngine, principal: Operator) -> Json:
    """Add a version and have runs get it; runs that exist keep what they started with."""
    async with engine.database.transaction() as conn:
        return assistant_json(
            await assistants.change_assistant(conn, engine.catalog, assistant_id, body.change, principal)
        )


@router.delete("/{assistant_id}", status_code=204)
async def delete(
    assistant_id: AssistantId, engine: TheEngine, principal: Operator, delete_threads: bool = False
) -> None:
    """Remove an assistant with its versions; runs and audit trail stay.

    `delete_threads` deletes the threads of its runs before; one that waits or runs refuses it, and the assistant stays.
    """
    async with engine.database.transaction() as conn:
        await assistants.hold_assistant(conn, engine.catalog, assistant_id, principal)
        threads = ThreadFilter(principal.tenant, metadata={"assistant_id": str(UUID(assistant_id))})
        found = await search_threads(conn, threads, limit=_THREADS) if delete_threads else []
    if len(found) == _THREADS:
        raise NotSupported(f"{_THREADS} threads or more belong to it.", hint="Delete them with POST /threads/prune.")
    for thread in found:
        await engine.editor.delete(str(thread["id"]), principal)
    async with engine.database.transaction() as conn:
        await assistants.delete_assistant(conn, engine.catalog, assistant_id, principal)


@router.post("/{assistant_id}/versions")
async def versions(assistant_id: AssistantId, body: VersionsBody, engine: TheEngine, principal: Anybody) -> list[Json]:
    """Its versions, newest first."""
    wanted = Wanted(metadata=body.metadata or {}, limit=body.limit, offset=body.offset)
    async with engine.database.transaction() as conn:
        found = await assistants.list_versions(conn, engine.catalog, assistant_id, principal.tenant, wanted)
    return [assistant_json(version) for version in found]


@router.post("/{assistant_id}/latest")
async def set_latest(assistant_id: AssistantId, body: LatestBody, engine: TheEngine, principal: Operator) -> Json:
    """Have runs get this version from now on."""
    async with engine.database.transaction() as conn:
        return assistant_json(await assistants.set_latest(conn, engine.catalog, assistant_id, body.version, principal))


@router.get("/{assistant_id}/graph")
async def graph(
    assistant_id: AssistantId,
    engine: TheEngine,
    principal: Anybody,
    xray: bool | Annotated[int, Field(ge=1, le=100)] = False,
) -> Json:
    """Nodes and edges; `xray` opens subgraphs, to that depth if it is a number."""
    _, found = await _graph(engine, principal, assistant_id)
    return await graph_json(found, xray)


@router.get("/{assistant_id}/schemas")
async def schemas(assistant_id: AssistantId, engine: TheEngine, principal: Anybody) -> Json:
    """JSON Schemas of input, output and state."""
    return schemas_json(*await _graph(engine, principal, assistant_id))


@router.get("/{assistant_id}/subgraphs")
async def subgraphs(assistant_id: AssistantId, engine: TheEngine, principal: Anybody, recurse: bool = False) -> Json:
    """Schemas of the subgraphs by namespace."""
    _, found = await _graph(engine, principal, assistant_id)
    return await subgraphs_json(found, recurse=recurse)


@router.get("/{assistant_id}/subgraphs/{namespace}")
async def subgraphs_in(
    assistant_id: AssistantId, namespace: str, engine: TheEngine, principal: Anybody, recurse: bool = False
) -> Json:
    """Schemas of the subgraph with this namespace."""
    _, found = await _graph(engine, principal, assistant_id)
    return await subgraphs_json(found, namespace=namespace, recurse=recurse)


async def _graph(engine: Engine, principal: Principal, assistant_id: str) -> tuple[str, Graph]:
    async with engine.database.transaction() as conn:
        workflow, _ = await assistants.find_assistant(conn, engine.catalog, assistant_id, principal.tenant)
    return workflow.name, workflow.graph
