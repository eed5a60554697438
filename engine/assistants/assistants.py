"""Assistants: found, made, changed by new versions, set back to earlier ones, deleted."""

import uuid
from collections.abc import Callable
from dataclasses import asdict

from psycopg.types.json import Jsonb

from contracts.approval import JsonObject
from contracts.errors import AlreadyExists, InvalidRequest, NotFound, SystemOwned
from contracts.event import Event
from engine.access.keys import Principal
from engine.assistants.model import Assistant, Setup, Wanted, rows_of, system_assistant, system_assistant_id
from engine.audit import audit
from engine.catalog.catalog import Catalog
from engine.catalog.workflow import Workflow
from engine.schedules.schedules import require_unscheduled
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_CONFIG = {"configurable": dict, "tags": list, "recursion_limit": int}
_RESERVED = ("__", "langgraph_", "checkpoint_", "thread_id", "run_id", "assistant_id", "graph_id", "user_id")


def workflows_own(catalog: Catalog, assistant_id: str) -> Assistant | None:
    """The assistant that a workflow has by itself, by its id or the workflow's name; it needs no database."""
    found = _uuid(assistant_id)
    for name, workflow in catalog.items():
        if assistant_id == name or found == system_assistant_id(name):
            return system_assistant(workflow)
    return None


async def find_assistant(
    conn: Connection, catalog: Catalog, assistant_id: str, tenant: str
) -> tuple[Workflow, Assistant]:
    """The workflow that a run gets and the assistant that it was asked of, by its id or by a workflow's name.

    Raises `NotFound`, also for another tenant's assistant and for one whose workflow is not loaded.
    """
    assistant = await get_assistant(conn, catalog, assistant_id, tenant)
    return catalog[assistant.setup.workflow], assistant


async def get_assistant(conn: Connection, catalog: Catalog, assistant_id: str, tenant: str) -> Assistant:
    """One assistant, by its id or by a workflow's name. Raises `NotFound`."""
    if system := workflows_own(catalog, assistant_id):
        return system
    row = None
    if found := _uuid(assistant_id):
        row = await (await conn.execute(_SQL["assistant"], {"id": found, "tenant": tenant})).fetchone()
    if row is None:
        known = ", ".join(sorted(catalog))
        raise NotFound(f"There is no assistant {assistant_id!r}.", hint=f"Workflows here: {known}.")
    return Assistant.of(row)


async def create_assistant(
    conn: Connection, catalog: Catalog, setup: Setup, principal: Principal, *, assistant_id: str
) -> Assistant:
    """Make an assistant with its first version.

    Raises `NotFound` for the workflow, `AlreadyExists`, `InvalidRequest`.
    """
    _require_sound(catalog, setup)
    params = {"id": assistant_id, "tenant": principal.tenant}
    taken = workflows_own(catalog, assistant_id) is not None
    if taken or not await (await conn.execute(_SQL["insert_assistant"], params)).fetchone():
        raise AlreadyExists(
            f"There is an assistant {assistant_id} already.", hint="Pass if_exists='do_nothing' to get it."
        )
    await _add_version(conn, assistant_id, setup, principal)
    return await get_assistant(conn, catalog, assistant_id, principal.tenant)


async def change_assistant(
    conn: Connection, catalog: Catalog, assistant_id: str, change: Callable[[Setup], Setup], principal: Principal
) -> Assistant:
    """Add a version that `change` makes of the present one, and have runs get it.

    Raises `NotFound`, `SystemOwned`, `InvalidRequest`.
    """
    await hold_assistant(conn, catalog, assistant_id, principal)
    setup = change((await get_assistant(conn, catalog, assistant_id, principal.tenant)).setup)
    _require_sound(catalog, setup)
    version = await _add_version(conn, assistant_id, setup, principal)
    await conn.execute(_SQL["use_version"], {"id": assistant_id, "version": version})
    return await get_assistant(conn, catalog, assistant_id, principal.tenant)


async def set_latest(
    conn: Connection, catalog: Catalog, assistant_id: str, version: int, principal: Principal
) -> Assistant:
    """Have runs get this version from now on. Raises `NotFound` for either, `SystemOwned`."""
    await hold_assistant(conn, catalog, assistant_id, principal)
    params = {"id": assistant_id, "version": version}
    if not await (await conn.execute(_SQL["use_version"], params)).fetchone():
        raise NotFound(f"Assistant {assistant_id} has no version {version}.")
    await _record(conn, assistant_id, principal, Event.ASSISTANT_CHANGED, {"version": version})
    return await get_assistant(conn, catalog, assistant_id, principal.tenant)


async def delete_assistant(conn: Connection, catalog: Catalog, assistant_id: str, principal: Principal) -> None:
    """Remove an assistant with all versions; its runs stay. Raises `NotFound`, `SystemOwned`, `InUse`."""
    await hold_assistant(conn, catalog, assistant_id, principal)
    await require_unscheduled(conn, assistant_id, tenant=principal.tenant)
    await conn.execute(_SQL["delete_assistant"], {"id": assistant_id, "tenant": principal.tenant})
    await _record(conn, assistant_id, principal, Event.ASSISTANT_DELETED, {})


async def list_versions(
    conn: Connection, catalog: Catalog, assistant_id: str, tenant: str, wanted: Wanted
) -> list[Assistant]:
    """The versions with this metadata, newest first; the system's assistants have one. Raises `NotFound`."""
    assistant = await get_assistant(conn, catalog, assistant_id, tenant)
    if workflows_own(catalog, assistant.id):
        fits = wanted.metadata.items() <= assistant.setup.metadata.items()
        return [assistant][wanted.offset : wanted.offset + wanted.limit] if fits else []
    params = {"metadata": Jsonb(wanted.metadata), "limit": wanted.limit, "offset": wanted.offset}
    rows = await (await conn.execute(_SQL["versions"], params | {"id": assistant.id})).fetchall()
    return [Assistant.of(row) for row in rows]


async def search_assistants(
    conn: Connection, catalog: Catalog, tenant: str, wanted: Wanted
) -> tuple[list[Assistant], int]:
    """The wanted part of the system's and the tenant's assistants, and how many there are in all."""
    system = Jsonb(rows_of(system_assistant(workflow) for workflow in catalog.values()))
    params = asdict(wanted) | {"metadata": Jsonb(wanted.metadata), "tenant": tenant, "system": system}
    rows = await (await conn.execute(_SQL["search"], params)).fetchall()
    return [Assistant.of(row) for row in rows if row["id"]], int(rows[0]["total"])


async def hold_assistant(conn: Connection, catalog: Catalog, assistant_id: str, principal: Principal) -> None:
    """Hold an assistant until the transaction ends. Raises `NotFound`, `SystemOwned`."""
    if workflows_own(catalog, assistant_id):
        raise SystemOwned(
            f"The assistant {assistant_id!r} is the workflow itself.", hint="Make one of your own for that graph."
        )
    params = {"id": _uuid(assistant_id), "tenant": principal.tenant}
    if not params["id"] or not await (await conn.execute(_SQL["lock"], params)).fetchone():
        raise NotFound(f"There is no assistant {assistant_id!r}.")


async def _add_version(conn: Connection, assistant_id: str, setup: Setup, principal: Principal) -> int:
    objects = {name: Jsonb(getattr(setup, name)) for name in ("config", "context", "metadata")}
    params = vars(setup) | objects | {"id": assistant_id, "created_by": principal.name}
    row = await (await conn.execute(_SQL["insert_version"], params)).fetchone()
    version = int(row["version"]) if row else 0
    said: JsonObject = {"version": version, "workflow": setup.workflow, "digest": audit.digest_of(asdict(setup))}
    event = Event.ASSISTANT_CREATED if version == 1 else Event.ASSISTANT_CHANGED
    await _record(conn, assistant_id, principal, event, said)
    return version


async def _record(conn: Connection, assistant_id: str, principal: Principal, event: Event, data: JsonObject) -> None:
    await audit.append_to(conn, f"assistant:{assistant_id}", principal.name, event, data)


def _require_sound(catalog: Catalog, setup: Setup) -> None:
    """Raises `NotFound` for a workflow that is not loaded, `InvalidRequest` for a config that LangGraph cannot obey."""
    catalog[setup.workflow]
    for name, value in setup.config.items():
        if name not in _CONFIG or not isinstance(value, _CONFIG[name]) or isinstance(value, bool):
            raise InvalidRequest(f"config.{name} does not fit.", facts={"allowed": [*_CONFIG]})
    configurable = setup.config.get("configurable")
    taken = sorted(k for k in configurable if k.startswith(_RESERVED)) if isinstance(configurable, dict) else []
    if taken:
        raise InvalidRequest(f"config.configurable.{taken[0]} is set by the server.", facts={"reserved": taken})


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
