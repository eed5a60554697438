"""An operator stops new work from coming to a queue, and lets it come again."""

from contracts.approval import JsonObject
from contracts.errors import NotFound
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.queues.room import hold_queue
from engine.queues.throttles import begin_pause, end_throttle
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def pause(conn: Connection, queue: str, operator: Principal, *, reason: str) -> None:
    """From now on no new case of the operator's tenant is taken; what was accepted goes on. Repeatable."""
    await hold_queue(conn, queue, tenant=operator.tenant)
    params = {"tenant": operator.tenant, "queue": queue, "by": operator.name, "reason": reason}
    if await (await conn.execute(_SQL["pause"], params)).fetchone():
        await begin_pause(conn, queue, tenant=operator.tenant)
        await _record(conn, queue, operator, Event.QUEUE_PAUSED, reason)


async def resume(conn: Connection, queue: str, operator: Principal, *, reason: str) -> None:
    """New cases are taken again. Raises `NotFound` unless it was paused."""
    await hold_queue(conn, queue, tenant=operator.tenant)
    params = {"tenant": operator.tenant, "queue": queue}
    if not await (await conn.execute(_SQL["resume"], params)).fetchone():
        raise NotFound(f"The queue {queue!r} is not paused.")
    await end_throttle(conn, queue, tenant=operator.tenant)
    await _record(conn, queue, operator, Event.QUEUE_RESUMED, reason)


async def _record(conn: Connection, queue: str, operator: Principal, event: Event, reason: str) -> None:
    data: JsonObject = {"queue": queue, "tenant": operator.tenant, "reason": reason}
    await audit.append_to(conn, f"queue:{queue}", operator.name, event, data)
