"""Which version a case is pinned to: looked up, moved, held for workers that have it, and counted."""

from collections.abc import Mapping
from typing import Any

from psycopg.rows import DictRow

from contracts.approval import JsonObject
from contracts.errors import LeaseLost, NotFound
from contracts.event import Event
from engine.audit import audit
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def newest_leg(conn: Connection, run_id: str) -> Run:
    """The last run of the case that `run_id` belongs to; its version is what the case is pinned to."""
    row = await (await conn.execute(_SQL["newest_leg"], {"id": run_id})).fetchone()
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    return Run.of(row)


async def parked_leg(conn: Connection, thread_id: str) -> Run | None:
    """The last run of a thread if it waits for somebody."""
    row = await (await conn.execute(_SQL["parked_leg"], {"thread_id": thread_id})).fetchone()
    return Run.of(row) if row else None


async def repin(conn: Connection, run: Run, version: str, dispatcher: Dispatcher) -> Run | None:
    """Move a run that waits, or that nobody holds, to `version`, and wake a worker for it if one has to go on.

    None when it went on meanwhile; then the caller rolls back.
    """
    params = {"id": run.id, "from": run.version, "version": version}
    await get_thread(conn, run.thread_id, tenant=run.tenant, lock=True)
    row = await (await conn.execute(_SQL["repin"], params)).fetchone()
    if row is None:
        return None
    moved = Run.of(row)
    if moved.status == "pending":
        await dispatcher.enqueue(conn, run.id, priority=run.priority)
    elif await (await conn.execute(_SQL["later_leg"], {"id": run.id, "thread_id": run.thread_id})).fetchone():
        return None
    return moved


async def repin_claimed(conn: Connection, run: Run, version: str, *, begun: bool) -> Run:
    """Move a run that the caller holds to `version`. Raises `LeaseLost`."""
    params = {"id": run.id, "epoch": run.epoch, "version": version, "begun": begun}
    row = await (await conn.execute(_SQL["repin_claimed"], params)).fetchone()
    if row is None:
        raise LeaseLost(f"Run {run.id} was taken over.")
    return Run.of(row)


async def hold(conn: Connection, run: Run, loaded: str, *, because: str) -> None:
    """Give a claimed run back for workers with another version than `loaded`, whose own leave it from now on."""
    params = {"id": run.id, "epoch": run.epoch, "refused_by": loaded}
    if await (await conn.execute(_SQL["hold"], params)).fetchone() and run.refused_by != loaded:
        data: JsonObject = {"version": run.version, "loaded": loaded, "why": because}
        await audit.append(conn, run.subject("system"), Event.RUN_HELD, data)


async def hold_new(conn: Connection, version: str, *, tenant: str) -> None:
    """Leave runs that have not begun under `version` to workers that have loaded another one."""
    await conn.execute(_SQL["hold_new"], {"version": version, "tenant": tenant})


async def release_held(conn: Connection, version: str, *, tenant: str) -> None:
    """Let workers with `version` look again at what they left to others."""
    await conn.execute(_SQL["release_held"], {"version": version, "tenant": tenant})


async def in_use(conn: Connection, *, tenant: str) -> Mapping[str, DictRow]:
    """By version, how many of a tenant's cases are `active`, `parked`, and `held` by no worker that may take them."""
    rows = await (await conn.execute(_SQL["in_use"], {"tenant": tenant})).fetchall()
    return {row["version"]: row for row in rows}


async def in_use_by_all(conn: Connection) -> list[DictRow]:
    """Rows of `workflow`, `version` and how many `cases` of any tenant that are not over stand on it."""
    return await (await conn.execute(_SQL["in_use_by_all"])).fetchall()


async def standing_on(conn: Connection, version: str, *, tenant: str, after: int, limit: int) -> list[DictRow]:
    """Rows of `id` and `seq` of a tenant's runs that a version has not finished, those after `after` first."""
    params = {"tenant": tenant, "version": version, "after": after, "limit": limit}
    return await (await conn.execute(_SQL["standing_on"], params)).fetchall()


async def parked_stages(conn: Connection, *, version: str | None = None, tenant: str | None = None) -> list[DictRow]:
    """Where cases wait: rows of `workflow`, `stage` and how many are `waiting`."""
    params: dict[str, Any] = {"version": version, "tenant": tenant}
    return await (await conn.execute(_SQL["parked_stages"], params)).fetchall()


async def unfinished_threads(conn: Connection) -> list[DictRow]:
    """Rows of `thread_id` and `workflow` where a run is under way or goes on where another stopped."""
    return await (await conn.execute(_SQL["unfinished_threads"])).fetchall()
