"""Schedules: kept, found, changed, deleted, and taken one by one when they are due."""

import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from contracts.approval import JsonObject
from contracts.errors import InUse, NotFound
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.schedules.model import Plan, Schedule, Wanted
from engine.schedules.times import next_time
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def create_schedule(conn: Connection, plan: Plan, principal: Principal) -> Schedule:
    """Keep a plan whose payload has been checked. Raises `InvalidRequest` for its times."""
    row = _row(plan, principal) | {"id": str(uuid.uuid4()), "tenant": principal.tenant}
    made = Schedule.of(await _one(conn, "insert", row))
    await _record(conn, made.id, principal.name, Event.SCHEDULE_CREATED, _said(plan))
    return made


async def get_schedule(conn: Connection, schedule_id: str, *, tenant: str) -> Schedule:
    """Raises `NotFound`, also for another tenant's."""
    return await _get(conn, "schedule", schedule_id, tenant)


async def hold_schedule(conn: Connection, schedule_id: str, principal: Principal) -> Schedule:
    """A schedule that the principal may change, held until the transaction ends: its own, or any for an operator.

    Raises `NotFound`, `Forbidden`.
    """
    schedule = await _get(conn, "lock", schedule_id, principal.tenant)
    if schedule.requester != principal.name:
        principal.require("operator")
    return schedule


async def change_schedule(conn: Connection, schedule: Schedule, plan: Plan, principal: Principal) -> Schedule:
    """Give a schedule that is held another plan; from now on its runs are the principal's. Raises `InvalidRequest`."""
    changed = Schedule.of(await _one(conn, "change", _row(plan, principal) | {"id": schedule.id}))
    await _record(conn, schedule.id, principal.name, Event.SCHEDULE_CHANGED, _said(plan))
    return changed


async def delete_schedule(conn: Connection, schedule: Schedule, principal: Principal) -> None:
    """Remove a schedule that is held; its runs stay."""
    await conn.execute(_SQL["delete"], {"id": schedule.id})
    await _record(conn, schedule.id, principal.name, Event.SCHEDULE_DELETED, {})


async def search_schedules(conn: Connection, wanted: Wanted, *, tenant: str) -> tuple[list[Schedule], int]:
    """The wanted part of a tenant's schedules, and how many there are in all."""
    params = asdict(wanted) | {"metadata": Jsonb(wanted.metadata), "tenant": tenant}
    rows = await (await conn.execute(_SQL["search"], params)).fetchall()
    return [Schedule.of(row) for row in rows if row["id"]], int(rows[0]["total"])


async def require_unscheduled(conn: Connection, assistant_id: str, *, tenant: str) -> None:
    """Raises `InUse` while a schedule names this assistant."""
    _, total = await search_schedules(conn, Wanted(assistant_id=assistant_id, limit=1), tenant=tenant)
    if total:
        raise InUse(f"{total} schedule(s) run the assistant {assistant_id}.", hint="Delete them first.")


async def next_due(conn: Connection, *, now: datetime, without: set[str]) -> Schedule | None:
    """The schedule that has been due for longest, held until the transaction ends; None if there is none left."""
    row = await (await conn.execute(_SQL["due"], {"now": now, "without": list(without)})).fetchone()
    return Schedule.of(row) if row else None


async def note_run(conn: Connection, schedule: Schedule, run_id: str, *, now: datetime) -> None:
    """What is due has become this run; times that were missed are not made up for. Expects the run's transaction."""
    await _fired(conn, schedule, now, {"run_id": run_id})
    await _record(conn, schedule.id, schedule.requester, Event.SCHEDULE_FIRED, {"run_id": run_id})


async def note_failure(
    conn: Connection, schedule: Schedule, error: JsonObject, *, now: datetime, goes_on: bool
) -> None:
    """Nothing came of what is due, and why. Does nothing if that has been dealt with since."""
    if await _fired(conn, schedule, now, {"error": Jsonb(error), "enabled": goes_on}):
        await _record(conn, schedule.id, schedule.requester, Event.SCHEDULE_FAILED, error | {"goes_on": goes_on})


async def end_schedule(conn: Connection, schedule: Schedule) -> None:
    """It is not due any more, because its end came first."""
    await conn.execute(_SQL["end"], {"id": schedule.id})


async def _fired(conn: Connection, schedule: Schedule, now: datetime, outcome: dict[str, Any]) -> bool:
    params = {"id": schedule.id, "due": schedule.next_run_at, "now": now, "run_id": None, "error": None}
    params |= {"enabled": True} | outcome
    params["next_run_at"] = _next(schedule.plan, now) if params["enabled"] else None
    return await (await conn.execute(_SQL["fired"], params)).fetchone() is not None


async def _get(conn: Connection, query: str, schedule_id: str, tenant: str) -> Schedule:
    row = await (await conn.execute(_SQL[query], {"id": schedule_id, "tenant": tenant})).fetchone()
    if row is None:
        raise NotFound(f"There is no cron {schedule_id}.")
    return Schedule.of(row)


async def _one(conn: Connection, query: str, params: dict[str, Any]) -> dict[str, Any]:
    row = await (await conn.execute(_SQL[query], params)).fetchone()
    if row is None:
        raise NotFound(f"Nothing was found by {query!r}.")
    return row


def _row(plan: Plan, principal: Principal) -> dict[str, Any]:
    objects = {"payload": Jsonb(plan.payload), "metadata": Jsonb(plan.metadata)}
    comes = _next(plan, datetime.now(UTC))
    return vars(plan) | objects | {"requester": principal.name, "next_run_at": comes if plan.enabled else None}


def _next(plan: Plan, after: datetime) -> datetime | None:
    return next_time(plan.cron, plan.timezone, after=after, until=plan.end_at)


def _said(plan: Plan) -> JsonObject:
    said: JsonObject = {"assistant_id": plan.assistant_id, "cron": plan.cron, "enabled": plan.enabled}
    return said | {"thread_id": plan.thread_id, "digest": audit.digest_of(plan.payload)}


async def _record(conn: Connection, schedule_id: str, actor: str, event: Event, data: JsonObject) -> None:
    await audit.append_to(conn, f"cron:{schedule_id}", actor, event, data)
