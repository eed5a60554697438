"""Deciding a request: exactly one decision wins, by somebody who may, over exactly what was shown."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from psycopg.rows import DictRow

from contracts.approval import Decision, DecisionType, JsonObject
from contracts.errors import (
    AlreadyDecided,
    ApprovalExpired,
    ApprovalRequired,
    ApprovalSuperseded,
    DigestMismatch,
    Forbidden,
    InvalidDecision,
    NotFound,
    PolicyDenied,
)
from contracts.event import Event
from engine.access.keys import Principal
from engine.approvals.model import DECISION_OF, STATUS_OF, ApprovalRequest, Judge
from engine.approvals.requests import get_request, request_row
from engine.audit import audit
from engine.audit.audit import Subject
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Run
from engine.runs.runs import create_resume, get_run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_BY_SYSTEM = "system"


@dataclass(frozen=True)
class Submission:
    """What a reviewer sends."""

    type: DecisionType
    action_digest: str | None = None
    """The digest that they saw; None when the interrupt's id stands for it."""
    tool: str | None = None
    args: JsonObject | None = None
    reason: str = ""
    message: str = ""
    stream_modes: tuple[str, ...] = ()
    """What the caller wants to hear of the leg that follows."""


async def decide(
    conn: Connection,
    request: ApprovalRequest,
    submission: Submission,
    reviewer: Principal,
    *,
    judge: Judge,
    dispatcher: Dispatcher,
) -> tuple[Decision, Run]:
    """Store the decision and queue the leg that acts on it, in one transaction.

    Raises `Forbidden` (role, four eyes), `AlreadyDecided` (naming the winner), `ApprovalExpired`, `ApprovalSuperseded`,
    `DigestMismatch`, `InvalidDecision`; then nothing is changed.
    """
    require_reviewer(request, reviewer)
    thread = await get_thread(conn, request.thread_id, tenant=request.tenant, lock=True)
    row = await _lock(conn, request.id)
    _require_open(ApprovalRequest.of(row), too_late=bool(row["too_late"]))
    if submission.action_digest not in (None, request.action_digest):
        raise DigestMismatch(
            "The decision is about another action than the one that waits.",
            hint="Read the request again and decide on what it shows now.",
            facts={"action_digest": request.action_digest},
        )
    run = await get_run(conn, request.run_id, tenant=request.tenant)
    covered = request
    if submission.type == "edit":
        covered = await _store_edit(conn, run, request, submission, reviewer, judge)
    ending = _Ending(request, covered, submission, reviewer.name, elsewhere=bool(thread["carried_by"]))
    return await _conclude(conn, run, ending, dispatcher)


async def expire(
    conn: Connection, request: ApprovalRequest, dispatcher: Dispatcher, *, now: datetime | None = None
) -> bool:
    """End a request whose time is over, which means reject; False when somebody was faster."""
    thread = await get_thread(conn, request.thread_id, tenant=request.tenant, lock=True)
    row = await _lock(conn, request.id, now)
    if row["status"] != "pending" or not row["too_late"]:
        return False
    run = await get_run(conn, request.run_id, tenant=request.tenant)
    expired = Submission("expired", reason="nobody decided in time")
    ending = _Ending(request, request, expired, _BY_SYSTEM, elsewhere=bool(thread["carried_by"]))
    await _conclude(conn, run, ending, dispatcher)
    return True


async def due_requests(conn: Connection, *, now: datetime | None = None) -> list[ApprovalRequest]:
    """Pending requests whose time is over at `now` (the database's clock by default)."""
    rows = await (await conn.execute(_SQL["due"], {"now": now})).fetchall()
    return [await get_request(conn, str(row["id"]), tenant=row["tenant"]) for row in rows]


async def decision_of(conn: Connection, request_id: str, *, tenant: str) -> Decision:
    """The stored decision; after an edit, over the edited action. Raises `ApprovalRequired` while there is none."""
    request = await get_request(conn, request_id, tenant=tenant)
    decision_type = DECISION_OF.get(request.status)
    if decision_type is None:
        raise ApprovalRequired(
            f"Request {request_id} has not been decided.",
            hint=f"A reviewer decides it: gatehouse approvals approve {request_id}",
        )
    covered = await get_request(conn, request.replaced_by, tenant=tenant) if request.replaced_by else request
    by, reason, message = request.decided_by or "", request.reason, request.message
    return covered.decision(decision_type, by=by, reason=reason, message=message)


async def cancel_requests(conn: Connection, subject: Subject, run_ids: Collection[str]) -> None:
    """Close what the runs of a case that was cancelled have asked; expects that transaction."""
    params = {"thread_id": subject.thread_id, "run_ids": list(run_ids), "by": subject.actor}
    await conn.execute(_SQL["cancel_questions"], params)
    for row in await (await conn.execute(_SQL["cancel_requests"], params)).fetchall():
        data: JsonObject = {"request_id": str(row["id"]), "type": "cancelled", "by": subject.actor}
        await audit.append(conn, subject, Event.APPROVAL_DECIDED, data)


def require_reviewer(request: ApprovalRequest, reviewer: Principal) -> None:
    """Raises `Forbidden` unless `reviewer` is a reviewer, holds the role of the rule and did not start the case."""
    reviewer.require("reviewer")
    if reviewer.name == request.requester:
        raise Forbidden("Who started a case may not decide about it (four eyes).", hint="Ask another reviewer.")
    if request.role not in reviewer.approver_roles:
        raise Forbidden(
            f"Rule {request.rule!r} wants a reviewer with the role {request.role!r}.",
            hint=f"Use a key made with: gatehouse keys create NAME --role reviewer --approves {request.role}",
            facts={"role": request.role},
        )


def _require_open(request: ApprovalRequest, *, too_late: bool) -> None:
    if request.status == "superseded":
        raise ApprovalSuperseded("The request was replaced by a newer one.", hint="Decide the thread's open request.")
    if request.status == "expired" or (request.status == "pending" and too_late):
        raise ApprovalExpired(f"The request expired at {request.expires_at}, which means rejected.")
    if request.status != "pending":
        winner = {"decided_by": request.decided_by, "decision": DECISION_OF.get(request.status, request.status)}
        raise AlreadyDecided(
            f"{request.decided_by!r} decided this request before: {winner['decision']}.", facts={"winner": winner}
        )


async def _store_edit(
    conn: Connection, run: Run, request: ApprovalRequest, submission: Submission, reviewer: Principal, judge: Judge
) -> ApprovalRequest:
    """A new, approved request over the edited arguments: policy judges them as if the agent had proposed them."""
    if submission.tool not in (None, request.tool):
        raise InvalidDecision(f"An edit keeps the tool: {request.tool!r}, not {submission.tool!r}.")
    judged = judge(request.tool, submission.args or {}, request.facts)
    if judged.verdict.type == "deny":
        raise PolicyDenied(f"Policy does not allow the edited action: {judged.verdict.why}")
    if judged.verdict.role and judged.verdict.role not in reviewer.approver_roles:
        raise Forbidden(f"The edited action wants a reviewer with the role {judged.verdict.role!r}.")
    row = request_row(run, judged, freeze_key=f"edit:{request.id}", queue=request.queue, card=request.card)
    row |= {"status": "approved", "decided_by": reviewer.name, "reason": submission.reason}
    await conn.execute(_SQL["freeze"], row)
    return await get_request(conn, row["id"], tenant=request.tenant)


@dataclass(frozen=True)
class _Ending:
    request: ApprovalRequest
    covered: ApprovalRequest
    submission: Submission
    by: str
    elsewhere: bool
    """Another server goes on with the run, when somebody resumes it there."""


async def _conclude(conn: Connection, run: Run, ending: _Ending, dispatcher: Dispatcher) -> tuple[Decision, Run]:
    request, covered, submission = ending.request, ending.covered, ending.submission
    row = {
        "id": request.id,
        "status": STATUS_OF[submission.type],
        "by": ending.by,
        "reason": submission.reason,
        "message": submission.message,
        "replaced_by": covered.id if covered is not request else None,
    }
    await conn.execute(_SQL["conclude"], row)
    decision = covered.decision(submission.type, by=ending.by, reason=submission.reason, message=submission.message)
    data = cast(JsonObject, {"decided_request": request.id, **decision})
    await audit.append(conn, run.subject(ending.by), Event.APPROVAL_DECIDED, data)
    if ending.elsewhere:
        return decision, run
    return decision, await create_resume(conn, run, dispatcher, stream_modes=submission.stream_modes)


async def _lock(conn: Connection, request_id: str, now: datetime | None = None) -> DictRow:
    row = await (await conn.execute(_SQL["lock"], {"id": request_id, "now": now})).fetchone()
    if row is None:
        raise NotFound(f"There is no approval request {request_id}.")
    return row
