"""Deciding a request: exactly one decision wins, by people who may, over exactly what was shown."""

from dataclasses import dataclass, replace

from contracts.approval import Decision, DecisionType, JsonObject
from contracts.errors import (
    AlreadyDecided,
    ApprovalExpired,
    ApprovalRequired,
    ApprovalSuperseded,
    DigestMismatch,
    Forbidden,
    HeldByAnother,
    InvalidDecision,
    PolicyDenied,
)
from contracts.event import Event
from engine.access.keys import Principal
from engine.approvals.endings import Ending, conclude, lock_request
from engine.approvals.model import DECISION_OF, ApprovalRequest, Judge
from engine.approvals.requests import get_request, keep_decided, request_row
from engine.approvals.votes import Vote, cast_vote, fits, is_reached, seats_of, votes_on
from engine.audit import audit
from engine.runs.model import Run
from engine.runs.runs import NextLeg, get_run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Submission:
    """What a reviewer sends."""

    type: DecisionType
    action_digest: str | None = None
    """The digest that they saw; None when the interrupt's id stands for it."""
    tool: str | None = None
    args: JsonObject | None = None
    reason: str = ""
    reason_code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Decided:
    """What came of a submission."""

    decision: Decision | None
    """None while a quorum wants more people."""
    run: Run
    """The leg that goes on with the case; while it waits on, the one that waits."""
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class _Sitting:
    """A locked, open request, who sits over it now, and whoever has spoken before."""

    request: ApprovalRequest
    reviewer: Principal
    before: list[Vote]

    @property
    def seats(self) -> tuple[str, ...]:
        return seats_of(self.request, self.reviewer)

    @property
    def approvals(self) -> list[Vote]:
        return [vote for vote in self.before if vote.type == "approve"]

    @property
    def decides(self) -> bool:
        """Whether one more approval, this person's, is enough."""
        return is_reached(self.request.quorum, [*(vote.roles for vote in self.approvals), self.seats])


async def decide(
    conn: Connection,
    request: ApprovalRequest,
    submission: Submission,
    reviewer: Principal,
    *,
    judge: Judge,
    following: NextLeg,
) -> Decided:
    """Store what the reviewer says and, once that decides, begin the leg that acts on it, in one transaction.

    Of a quorum, the last approval that it needs decides; anybody in a seat rejects, or responds, alone. Raises
    `Forbidden` (role, four eyes, a taken seat), `AlreadyDecided` (naming the winner), `HeldByAnother`,
    `ApprovalExpired`, `ApprovalSuperseded`, `DigestMismatch`, `InvalidDecision`; then nothing is changed.
    """
    thread = await get_thread(conn, request.thread_id, tenant=request.tenant, lock=True)
    row = await lock_request(conn, request.id)
    request = ApprovalRequest.of(row)
    require_reviewer(request, reviewer)
    require_open(request, too_late=bool(row["too_late"]))
    require_free(row["held_by"], reviewer)
    require_shown(request, submission)
    run = await get_run(conn, request.run_id, tenant=request.tenant)
    before = await votes_on(conn, request.id) if request.quorum.needed > 1 else []
    sitting = _Sitting(request, reviewer, before)
    covered = request
    if submission.type == "edit":
        covered = await _store_edit(conn, run, sitting, submission, judge)
    vote = await _vote(conn, sitting, submission)
    votes = (*sitting.before, vote)
    if submission.type == "approve" and not sitting.decides:
        return Decided(None, await _note_vote(conn, run, request, votes), votes)
    by = [v.by for v in votes if v.type == submission.type]
    ending = _ending(request, covered, submission, ", ".join(by))
    decision, leg = await conclude(conn, run, replace(ending, elsewhere=bool(thread["carried_by"])), following)
    return Decided(decision, leg, votes)


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


def require_reviewer(request: ApprovalRequest, reviewer: Principal, *, or_operator: bool = False) -> None:
    """Raises `Forbidden` unless `reviewer` is one, may sit in a seat of the request and did not start the case.

    `AlreadyDecided` where nobody is asked, because policy decided by itself.
    """
    operates = or_operator and "operator" in reviewer.roles
    if not operates:
        reviewer.require("reviewer")
    if reviewer.name == request.requester:
        raise Forbidden("Who started a case may not decide about it (four eyes).", hint="Ask another reviewer.")
    if not operates and not seats_of(request, reviewer):
        roles = list(request.quorum.roles)
        role = next(iter(roles), "")
        if not role:  # policy has decided it, or it is what an edit has made of another: nobody is asked
            require_open(request, too_late=False)
        raise Forbidden(
            f"Rule {request.rule!r} wants a reviewer with the role {request.role!r}.",
            hint=f"Use a key made with: gatehouse keys create NAME --role reviewer --approves {role}",
            facts={"role": request.role, "roles": roles},
        )


def require_open(request: ApprovalRequest, *, too_late: bool) -> None:
    """Raises `ApprovalSuperseded`, `ApprovalExpired`, `AlreadyDecided` (naming the winner)."""
    if request.status == "superseded":
        raise ApprovalSuperseded("The request was replaced by a newer one.", hint="Decide the thread's open request.")
    if request.status == "expired" or (request.status == "pending" and too_late):
        raise ApprovalExpired(f"The request expired at {request.expires_at}, which means rejected.")
    if request.status != "pending":
        winner = {"decided_by": request.decided_by, "decision": DECISION_OF.get(request.status, request.status)}
        raise AlreadyDecided(
            f"{request.decided_by!r} decided this request before: {winner['decision']}.", facts={"winner": winner}
        )


def require_free(held_by: str | None, reviewer: Principal) -> None:
    """Raises `HeldByAnother` while somebody else has claimed the request or was given it."""
    if held_by not in (None, reviewer.name):
        raise HeldByAnother(
            f"{held_by!r} has this request now.",
            hint="Wait until it is released, or have an operator assign it to somebody else.",
            facts={"held_by": held_by},
        )


def require_shown(request: ApprovalRequest, submission: Submission) -> None:
    """Raises `DigestMismatch` where the submission names another action than the request shows."""
    if submission.action_digest not in (None, request.action_digest):
        raise DigestMismatch(
            "The decision is about another action than the one that waits.",
            hint="Read the request again and decide on what it shows now.",
            facts={"action_digest": request.action_digest},
        )


async def _vote(conn: Connection, sitting: _Sitting, submission: Submission) -> Vote:
    request, reviewer = sitting.request, sitting.reviewer
    vote = Vote(reviewer.name, submission.type, sitting.seats)
    if not await cast_vote(conn, request, vote, submission.reason, submission.reason_code):
        raise AlreadyDecided(
            f"{reviewer.name!r} has spoken about this request before; it waits for others ({request.role}).",
            facts={"waits_for": request.role},
        )
    if submission.type == "approve" and not fits(request.quorum, [*(v.roles for v in sitting.approvals), vote.roles]):
        raise Forbidden(
            "Others sit in every seat that you may take; the request waits for somebody with another role.",
            facts={"roles": list(request.quorum.roles), "approved_by": [v.by for v in sitting.approvals]},
        )
    return vote


async def _note_vote(conn: Connection, run: Run, request: ApprovalRequest, votes: tuple[Vote, ...]) -> Run:
    """The request waits on, for the next person: nobody has it any more."""
    await conn.execute(_SQL["release"], {"id": request.id})
    data: JsonObject = {
        "request_id": request.id,
        "action_digest": request.action_digest,
        "approved_by": [vote.by for vote in votes],
        "needed": request.quorum.needed,
    }
    await audit.append(conn, run.subject(votes[-1].by), Event.APPROVAL_VOTED, data)
    return run


async def _store_edit(
    conn: Connection, run: Run, sitting: _Sitting, submission: Submission, judge: Judge
) -> ApprovalRequest:
    """A new, approved request over the edited arguments: policy judges them as if the agent had proposed them."""
    request, reviewer = sitting.request, sitting.reviewer
    if submission.tool not in (None, request.tool):
        raise InvalidDecision(f"An edit keeps the tool: {request.tool!r}, not {submission.tool!r}.")
    judged = await judge(request.tool, submission.args or {}, request.facts)
    if judged.verdict.type == "deny":
        raise PolicyDenied(f"Policy does not allow the edited action: {judged.verdict.why}")
    for quorum in (request.quorum, judged.verdict.quorum):
        if quorum.needed > 1:
            raise InvalidDecision(
                f"This wants {quorum.said()}, and nobody else would have seen an edited action.",
                hint="Send it back with what should change (respond): the workflow proposes it anew, to all of them.",
            )
    asked = judged.verdict.quorum.roles
    if asked and not seats_of(replace(request, quorum=judged.verdict.quorum), reviewer):
        raise Forbidden(f"The edited action wants a reviewer with the role {judged.verdict.quorum.said()!r}.")
    row = request_row(run, judged, freeze_key=f"edit:{request.id}", queue=request.queue, card=request.card)
    return await keep_decided(conn, row, by=reviewer.name, reason=submission.reason)


def _ending(request: ApprovalRequest, covered: ApprovalRequest, said: Submission, by: str) -> Ending:
    return Ending(
        request,
        covered,
        said.type,
        by,
        reason=said.reason,
        reason_code=said.reason_code,
        message=said.message,
    )
