"""Review queues: how they stand, and new work stopped and let in again."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field

from api.bodies import Body
from api.door import Operator, Reader, TheEngine
from contracts.errors import NotFound
from engine.access.keys import Principal
from engine.approvals.canaries import canaries_asked
from engine.approvals.measures import WINDOW
from engine.queues import pauses
from engine.queues.report import queues_of, throttles_of
from engine.store.database import Connection
from engine.wiring import Engine

router = APIRouter(prefix="/queues", tags=["queues"])

Json = dict[str, Any]
Name = Annotated[str, Path(description="A queue.", pattern=r"^[^\x00]+$")]


class StopBody(Body):
    """New work is stopped, or let in again."""

    reason: Annotated[str, Field(min_length=1, max_length=1000, description="Why; kept in the audit trail.")]


@router.get("")
async def list_(engine: TheEngine, principal: Reader) -> list[Json]:
    """Every queue: its terms, how much of the caller's tenant waits or is on its way, whether it takes new cases."""
    async with engine.database.reading() as conn:
        found = await queues_of(conn, engine.catalog.queues, tenant=principal.tenant)
        return [queue | await _canaries(conn, engine, principal, queue["name"]) for queue in found]


@router.get("/{name}")
async def get(name: Name, engine: TheEngine, principal: Reader) -> Json:
    """One queue, with the last periods in which it took no new case."""
    async with engine.database.reading() as conn:
        return await _shown(conn, engine, principal, name)


@router.post("/{name}/pause")
async def pause(name: Name, body: StopBody, engine: TheEngine, principal: Operator) -> Json:
    """Take no new case of the caller's tenant: 429 for who sends one, and schedules wait. What was accepted goes on."""
    async with engine.database.transaction() as conn:
        await _shown(conn, engine, principal, name)
        await pauses.pause(conn, name, principal, reason=body.reason)
        return await _shown(conn, engine, principal, name)


@router.post("/{name}/resume")
async def resume(name: Name, body: StopBody, engine: TheEngine, principal: Operator) -> Json:
    """Take new cases again; schedules that waited come with the next sweep."""
    async with engine.database.transaction() as conn:
        await _shown(conn, engine, principal, name)
        await pauses.resume(conn, name, principal, reason=body.reason)
        return await _shown(conn, engine, principal, name)


async def _shown(conn: Connection, engine: Engine, principal: Principal, name: str) -> Json:
    queue = engine.catalog.queues.get(name)
    if queue is None:
        raise NotFound(f"There is no queue {name!r}.", hint="List them with: gatehouse queues list")
    found = (await queues_of(conn, {name: queue}, tenant=principal.tenant))[0]
    found |= await _canaries(conn, engine, principal, name)
    return found | {"throttles": await throttles_of(conn, name, tenant=principal.tenant)}


async def _canaries(conn: Connection, engine: Engine, principal: Principal, name: str) -> Json:
    """That some of what waits there are canaries, and how many were put in the last 30 days."""
    asked = await canaries_asked(conn, datetime.now(UTC) - WINDOW, tenant=principal.tenant)
    return {"canaries": {"a_day": engine.settings.canaries_per_day, "asked": asked[name]}}
