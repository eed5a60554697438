"""Items in namespaces: kept, read, searched, listed, deleted, and swept when their time is over."""

from dataclasses import dataclass
from typing import Any, cast

from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, Op, PutOp, SearchItem, SearchOp

from contracts.approval import JsonObject
from contracts.errors import InvalidRequest
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.store.database import Connection
from engine.store.items import OPERATORS, ItemStore

Namespace = tuple[str, ...]
_LONGEST_PLACE = 2000
"""Bytes of namespace and key together: what an index entry of Postgres holds, with room for the tenant."""


@dataclass(frozen=True)
class Search:
    """Which items to find below a namespace. Without an index a `query` does not rank: the newest come first."""

    prefix: Namespace
    filter: JsonObject | None = None
    query: str | None = None
    limit: int = 10
    offset: int = 0
    refresh_ttl: bool = True


@dataclass(frozen=True)
class Listing:
    """Which namespaces to list; `*` in `prefix` and `suffix` stands for any one label."""

    prefix: Namespace = ()
    suffix: Namespace = ()
    max_depth: int | None = None
    limit: int = 100
    offset: int = 0


async def put_item(
    conn: Connection, namespace: Namespace, key: str, value: JsonObject, principal: Principal, *, ttl_min: int | None
) -> None:
    """Keep a value in place of what was there, for `ttl_min` minutes from when it was last read.

    Raises `InvalidRequest` for a place that cannot be.
    """
    await _do(conn, PutOp(_place(namespace, key, principal.tenant), key, value, ttl=ttl_min))
    said: JsonObject = {"key": key, "digest": audit.digest_of(value), "ttl_min": ttl_min}
    await _record(conn, namespace, principal, Event.ITEM_PUT, said)


async def delete_item(conn: Connection, namespace: Namespace, key: str, principal: Principal) -> None:
    """Remove a value, if it is there. Raises `InvalidRequest`."""
    await _do(conn, PutOp(_place(namespace, key, principal.tenant), key, None))
    await _record(conn, namespace, principal, Event.ITEM_DELETED, {"key": key})


async def get_item(
    conn: Connection, namespace: Namespace, key: str, *, tenant: str, refresh_ttl: bool = True
) -> Item | None:
    """The value there, if any; reading it starts its time anew. Raises `InvalidRequest`."""
    found = cast(Item | None, await _do(conn, GetOp(_place(namespace, key, tenant), key, refresh_ttl)))
    return _without_tenant(found) if found else None


async def search_items(conn: Connection, search: Search, *, tenant: str) -> list[SearchItem]:
    """Items below a namespace, the newest first. Raises `InvalidRequest`."""
    _require_filter(search.filter or {})
    _require_labels(search.prefix)
    prefix = (_label(tenant), *search.prefix)
    op = SearchOp(prefix, search.filter, search.limit, search.offset, search.query, search.refresh_ttl)
    return [_without_tenant(item) for item in cast(list[SearchItem], await _do(conn, op))]


async def list_namespaces(conn: Connection, listing: Listing, *, tenant: str) -> list[Namespace]:
    """Namespaces that hold items, in order of their names. Raises `InvalidRequest`."""
    _require_labels((*listing.prefix, *listing.suffix))
    # As many labels as the suffix has must follow the tenant's own, or a suffix could match that one.
    open_labels = ("*",) * max(0, len(listing.suffix) - len(listing.prefix))
    conditions = [MatchCondition("prefix", (_label(tenant), *listing.prefix, *open_labels))]
    if listing.suffix:
        conditions.append(MatchCondition("suffix", listing.suffix))
    depth = None if listing.max_depth is None else listing.max_depth + 1
    found = await _do(conn, ListNamespacesOp(tuple(conditions), depth, listing.limit, listing.offset))
    return [namespace[1:] for namespace in cast(list[Namespace], found)]


async def sweep_items(conn: Connection) -> None:
    """Remove items whose time is over; nobody can read them any more."""
    await ItemStore(conn).sweep_ttl()


async def _do(conn: Connection, op: Op) -> Any:
    return (await ItemStore(conn).abatch([op]))[0]


async def _record(conn: Connection, namespace: Namespace, principal: Principal, event: Event, data: JsonObject) -> None:
    stream = f"store:{_label(principal.tenant)}.{'.'.join(namespace)}"
    await audit.append_to(conn, stream, principal.name, event, data)


def _place(namespace: Namespace, key: str, tenant: str) -> Namespace:
    if not namespace:
        raise InvalidRequest("An item needs a namespace of at least one label.")
    _require_labels(namespace)
    if len(".".join((*namespace, key)).encode()) > _LONGEST_PLACE:
        raise InvalidRequest(f"Namespace and key have at most {_LONGEST_PLACE:,} bytes together.")
    return (_label(tenant), *namespace)


def _require_labels(labels: Namespace) -> None:
    for label in labels:
        if not label or "." in label:
            raise InvalidRequest(f"The namespace label {label!r} is empty or has a dot in it.")


def _require_filter(wanted: JsonObject) -> None:
    for name, value in wanted.items():
        unknown = sorted(set(value) - set(OPERATORS)) if isinstance(value, dict) else []
        if unknown:
            raise InvalidRequest(
                f"The filter on {name!r} has no operator {unknown[0]!r}.", facts={"operators": list(OPERATORS)}
            )


def _label(tenant: str) -> str:
    """A tenant's name as a label: without dots."""
    return tenant.replace("%", "%25").replace(".", "%2E")


def _without_tenant(item: Any) -> Any:
    item.namespace = item.namespace[1:]
    return item
