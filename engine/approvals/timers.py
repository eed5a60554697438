"""Has happen to open requests what was planned, as time passes: once, in order, however late somebody looks."""

from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.approval import JsonObject
from contracts.event import Event
from engine.approvals.endings import Ending, conclude, lock_request
from engine.approvals.escalation import rise
from engine.approvals.model import ApprovalRequest
from engine.approvals.plan import Step, StepKind, steps_of
from engine.approvals.telling import tell
from engine.audit import audit
from engine.runs.dispatch import Dispatcher
from engine.runs.runs import NextLeg, get_run
from engine.runs.threads import take_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_SYSTEM = "system"
_IN_TIME = "nobody decided in time"


@dataclass(frozen=True)
class DueRequest:
    """A request at which the sweeper has to look."""

    id: str
    tenant: str
    thread_id: str
    at: datetime


async def due_requests(
    conn: Connection, *, now: datetime | None = None, after: DueRequest | None = None, limit: int = 100
) -> list[DueRequest]:
    """Open requests to which something is to happen by `now` (the database's clock by default), in parts."""
    place = {"after_at": after.at if after else None, "after_id": after.id if after else None}
    rows = await (await conn.execute(_SQL["timers"], {"now": now, "limit": limit} | place)).fetchall()
    return [DueRequest(str(row["id"]), row["tenant"], str(row["thread_id"]), row["at"]) for row in rows]


async def fire(
    conn: Connection, due: DueRequest, dispatcher: Dispatcher, *, now: datetime | None = None
) -> list[StepKind]:
    """Have everything happen to a request that its time has come for, in one transaction; what that was.

    Nothing, where somebody holds its thread, or was faster.
    """
    thread = await take_thread(conn, due.thread_id, tenant=due.tenant)
    if thread is None:
        return []
    row = await lock_request(conn, due.id, now)
    if row["status"] != "pending":
        return []
    request, steps = ApprovalRequest.of(row), steps_of(row)
    todo = [step for step in steps if step.at <= row["looked_at"]]
    kinds = {step.kind for step in todo}
    next_at = steps[len(todo)].at if len(todo) < len(steps) else None
    marks = {"warned": "warned" in kinds, "breached": "breached" in kinds, "next_at": next_at}
    await conn.execute(_SQL["note_timers"], marks | {"id": request.id, "at": row["looked_at"]})
    for step in todo:
        match step.kind:
            case "warned":
                await _note(conn, request, Event.APPROVAL_WARNED, step)
                await tell(conn, "warned", request)
            case "breached":
                await _note(conn, request, Event.APPROVAL_BREACHED, step)
                await tell(conn, "breached", request)
            case "escalated":
                request = await rise(conn, request, step.level, by=_SYSTEM)
            case "expired":
                run = await get_run(conn, request.run_id, tenant=due.tenant)
                ending = Ending(request, request, "expired", _SYSTEM, _IN_TIME, elsewhere=bool(thread["carried_by"]))
                await conclude(conn, run, ending, NextLeg(dispatcher))
    return [step.kind for step in todo]


async def _note(conn: Connection, request: ApprovalRequest, event: Event, step: Step) -> None:
    data: JsonObject = {
        "request_id": request.id,
        "queue": request.queue,
        "planned_for": step.at.astimezone(UTC).isoformat(timespec="seconds"),
    }
    await audit.append(conn, request.subject(_SYSTEM), event, data)
