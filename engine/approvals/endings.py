"""How a request ends, whoever ends it: stored once, on record, and the case goes on in the same transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from psycopg.rows import DictRow

from contracts.approval import Decision, DecisionType, JsonObject
from contracts.errors import GatehouseError, NotFound
from contracts.event import Event
from engine.access.keys import Principal
from engine.approvals.model import STATUS_OF, ApprovalRequest
from engine.approvals.telling import tell
from engine.audit import audit
from engine.audit.audit import Subject
from engine.runs.model import Run
from engine.runs.runs import NextLeg
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Ending:
    """What is stored of it."""

    request: ApprovalRequest
    covered: ApprovalRequest
    """What the decision is about: after an edit, the edited action."""
    type: DecisionType
    by: str
    reason: str = ""
    reason_code: str = ""
    message: str = ""
    elsewhere: bool = False
    """Another server goes on with the run, when somebody resumes it there."""


async def lock_request(conn: Connection, request_id: str, now: datetime | None = None) -> DictRow:
    """The request's row, held until the transaction ends, with `too_late`, `held_by` (whoever has it) and `looked_at`.

    Expects the thread's lock. Raises `NotFound`.
    """
    row = await (await conn.execute(_SQL["lock"], {"id": request_id, "now": now})).fetchone()
    if row is None:
        raise NotFound(f"There is no approval request {request_id}.")
    return row


async def conclude(conn: Connection, run: Run, ending: Ending, following: NextLeg) -> tuple[Decision, Run]:
    """Store how a locked, open request ended and queue the leg that acts on it."""
    request, covered = ending.request, ending.covered
    row = {
        "id": request.id,
        "status": STATUS_OF[ending.type],
        "by": ending.by,
        "reason": ending.reason,
        "reason_code": ending.reason_code,
        "message": ending.message,
        "replaced_by": covered.id if covered is not request else None,
    }
    await conn.execute(_SQL["conclude"], row)
    decision = covered.decision(ending.type, by=ending.by, reason=ending.reason, message=ending.message)
    data = cast(JsonObject, {"decided_request": request.id, "reason_code": ending.reason_code, **decision})
    await audit.append(conn, run.subject(ending.by), Event.APPROVAL_DECIDED, data)
    await tell(conn, "expired" if ending.type == "expired" else "decided", request, decision=ending.type, by=ending.by)
    if ending.elsewhere:
        return decision, run
    return decision, await following.begin(conn, run)


async def cancel_requests(conn: Connection, subject: Subject, run_ids: Collection[str]) -> None:
    """Close what the runs of a case that was cancelled have asked; expects that transaction."""
    params = {"thread_id": subject.thread_id, "run_ids": list(run_ids), "by": subject.actor}
    await conn.execute(_SQL["cancel_questions"], params)
    for row in await (await conn.execute(_SQL["cancel_requests"], params)).fetchall():
        data: JsonObject = {"request_id": str(row["id"]), "type": "cancelled", "by": subject.actor}
        await audit.append(conn, subject, Event.APPROVAL_DECIDED, data)
        if row["requested_at"]:  # else nobody has heard of it
            await tell(conn, "decided", ApprovalRequest.of(row), decision="cancelled", by=subject.actor)


async def note_refusal(
    conn: Connection, request: ApprovalRequest, what: str, who: Principal, error: GatehouseError
) -> None:
    """Keep that somebody tried what was refused; the request is as it was."""
    subject = Subject(request.thread_id, request.run_id, who.name)
    data: JsonObject = {"request_id": request.id, "tried": what, "code": error.code, "detail": error.detail}
    await audit.append(conn, subject, Event.APPROVAL_ATTEMPT_REFUSED, data)
