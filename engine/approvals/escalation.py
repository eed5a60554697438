"""A request that waits moves up its queue's chain: others may decide, too, and nobody has it any more."""

from contracts.approval import JsonObject
from contracts.errors import NoHigherLevel
from contracts.event import Event
from engine.access.keys import Principal
from engine.approvals.decisions import require_open, require_reviewer
from engine.approvals.endings import lock_request
from engine.approvals.model import ApprovalRequest
from engine.approvals.requests import get_request
from engine.approvals.telling import tell
from engine.audit import audit
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def escalate(conn: Connection, request: ApprovalRequest, person: Principal, *, reason: str) -> ApprovalRequest:
    """Have a request go one step up before its time; the request as it is then.

    Operators may, and whoever might decide it. Raises `Forbidden`, `NoHigherLevel`, and what an end of it raises.
    """
    if "operator" not in person.roles:
        require_reviewer(request, person)
    await get_thread(conn, request.thread_id, tenant=request.tenant, lock=True)
    row = await lock_request(conn, request.id)
    held = ApprovalRequest.of(row)
    require_open(held, too_late=bool(row["too_late"]))
    if held.level >= len(held.levels):
        raise NoHigherLevel(
            f"Request {request.id} stands at the top of what its queue {request.queue!r} offers.",
            hint="An operator may assign it to somebody.",
            facts={"level": held.level},
        )
    return await rise(conn, held, held.level + 1, by=person.name, reason=reason)


async def rise(conn: Connection, request: ApprovalRequest, level: int, *, by: str, reason: str = "") -> ApprovalRequest:
    """Have a locked, open request come up to this level; the request as it is then."""
    step = request.levels[level - 1]
    await conn.execute(_SQL["escalate"], {"id": request.id, "level": level, "role": step["role"]})
    data: JsonObject = {
        "request_id": request.id,
        "queue": request.queue,
        "level": level,
        "to": step["to"],
        "role": step["role"],
        "taken_from": request.claimed_by or request.assigned_to,
        "reason": reason,
    }
    await audit.append(conn, request.subject(by), Event.APPROVAL_ESCALATED, data)
    risen = await get_request(conn, request.id, tenant=request.tenant)
    await tell(conn, "escalated", risen, to=step["to"])
    return risen
