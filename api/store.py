"""The store: values under keys in namespaces, kept beside the threads of a tenant."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from langgraph.store.base import Item
from pydantic import Field, JsonValue

from api.bodies import Body
from api.door import Anybody, Caller, TheEngine
from api.pages import Limit, Offset
from engine.items import items

router = APIRouter(prefix="/store", tags=["store"])

Json = dict[str, Any]
Label = Annotated[str, Field(min_length=1)]
Labels = Annotated[list[Label], Field(max_length=50)]
_TEN_YEARS_MIN = 5_256_000


class PlaceBody(Body):
    """`store.delete_item`."""

    namespace: Annotated[Labels, Field(min_length=1)]
    key: Label


class ItemBody(PlaceBody):
    """`store.put_item`. `index` is accepted; this server keeps no index."""

    value: dict[str, JsonValue]
    index: Literal[False] | list[str] | None = None
    ttl: int | None = Field(None, ge=1, le=_TEN_YEARS_MIN, description="Minutes after the last reading.")


class SearchBody(Body):
    """`store.search_items`. Without an index a `query` does not rank: the newest come first."""

    namespace_prefix: Labels
    filter: dict[str, JsonValue] | None = None
    limit: Limit = 10
    offset: Offset = 0
    query: str | None = None
    refresh_ttl: bool = True


class NamespacesBody(Body):
    """`store.list_namespaces`."""

    prefix: Labels | None = None
    suffix: Labels | None = None
    max_depth: int | None = Field(None, ge=1, le=50)
    limit: Limit = 100
    offset: Offset = 0


@router.put("/items", status_code=204)
async def put(body: ItemBody, engine: TheEngine, principal: Caller) -> None:
    """Keep a value in place of what was there."""
    async with engine.database.transaction() as conn:
        await items.put_item(conn, tuple(body.namespace), body.key, body.value, principal, ttl_min=body.ttl)


@router.get("/items")
async def get(
    namespace: Annotated[str, Query(min_length=1, pattern=r"^[^\x00]*$", description="Labels joined with dots.")],
    key: Annotated[str, Query(min_length=1, pattern=r"^[^\x00]*$")],
    engine: TheEngine,
    principal: Anybody,
    refresh_ttl: bool = True,
) -> Json | None:
    """One item, or null: clients take that for "nothing is there"."""
    async with engine.database.transaction() as conn:
        place = tuple(namespace.split("."))
        found = await items.get_item(conn, place, key, tenant=principal.tenant, refresh_ttl=refresh_ttl)
    return _item_json(found) if found else None


@router.delete("/items", status_code=204)
async def delete(body: PlaceBody, engine: TheEngine, principal: Caller) -> None:
    """Remove an item, if it is there."""
    async with engine.database.transaction() as conn:
        await items.delete_item(conn, tuple(body.namespace), body.key, principal)


@router.post("/items/search")
async def search(body: SearchBody, engine: TheEngine, principal: Anybody) -> Json:
    """Items below a namespace."""
    wanted = items.Search(
        tuple(body.namespace_prefix), body.filter, body.query, body.limit, body.offset, body.refresh_ttl
    )
    async with engine.database.transaction() as conn:
        found = await items.search_items(conn, wanted, tenant=principal.tenant)
    return {"items": [_item_json(item) | {"score": item.score} for item in found]}


@router.post("/namespaces")
async def namespaces(body: NamespacesBody, engine: TheEngine, principal: Anybody) -> Json:
    """Namespaces that hold items."""
    wanted = items.Listing(tuple(body.prefix or ()), tuple(body.suffix or ()), body.max_depth, body.limit, body.offset)
    async with engine.database.transaction() as conn:
        return {"namespaces": await items.list_namespaces(conn, wanted, tenant=principal.tenant)}


def _item_json(item: Item) -> Json:
    return {
        "namespace": item.namespace,
        "key": item.key,
        "value": item.value,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }
