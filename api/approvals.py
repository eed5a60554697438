"""Requests for approval: listed, read, claimed, passed on, decided. GET never decides."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.bodies import Body
from api.door import Operator, Reader, Reviewer, Staff, TheEngine
from api.pages import Offset, set_page_headers
from api.shapes import approval_json, batch_json, canary_json, changes, decided_json
from contracts.approval import ReasonCode
from contracts.errors import InvalidDecision, NotFound
from engine.approvals import canaries, claims
from engine.approvals.batches import MOST
from engine.approvals.canaries import Canary, shown_request, shown_requests
from engine.approvals.claims import Wanted
from engine.approvals.decisions import Decided, Submission
from engine.approvals.payloads import DecisionBody, response_schema, submission_of
from engine.approvals.requests import RequestFilter
from engine.approvals.votes import votes_on
from engine.audit.receipts import receipt_of
from engine.wiring import Engine

router = APIRouter(prefix="/approvals", tags=["approvals"])
Status = Literal["pending", "approved", "edited", "rejected", "responded", "expired", "superseded", "cancelled", "all"]
_DAY_S = 86_400


class ListQuery(Body):
    """Which requests are listed."""

    status: Status = "pending"
    queue: str | None = None
    workflow: str | None = None
    tool: str | None = None
    role: str | None = Field(None, description="One of the roles that are asked for.")
    held_by: str | None = Field(None, description="Whoever has claimed it or was given it, as in `key:ada`.")
    overdue: bool = Field(False, description="Only those whose due time has passed.")
    thread_id: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Offset = 0

    def filter(self, tenant: str) -> RequestFilter:
        return RequestFilter(
            tenant=tenant,
            status=None if self.status == "all" else self.status,
            queue=self.queue,
            workflow=self.workflow,
            tool=self.tool,
            role=self.role,
            held_by=self.held_by,
            overdue=self.overdue,
            thread_id=str(self.thread_id) if self.thread_id else None,
        )


class ClaimBody(Body):
    """For how long nobody else decides."""

    seconds: float = Field(900, ge=1, le=_DAY_S)


class NextBody(ClaimBody):
    """Which request is wanted."""

    queue: str = Field("", max_length=200)
    workflow: str = Field("", max_length=200)


class ChosenBody(Body):
    """Which requests are decided together."""

    request_ids: list[UUID] = Field(min_length=1, max_length=MOST)

    @property
    def ids(self) -> list[str]:
        return [str(one) for one in dict.fromkeys(self.request_ids)]


class BatchBody(ChosenBody):
    """One decision about all of them: `batch_digest` must be that of the batch that was shown."""

    type: Literal["approve", "reject"]
    batch_digest: str
    reason: str = Field("", max_length=1000)
    reason_code: ReasonCode = "other"


class UndoBody(Body):
    """Why it is taken back."""

    reason: str = Field(min_length=1, max_length=1000)


class ReceiverBody(Body):
    """Who gets a request: the name of a key."""

    to: str = Field(min_length=1, max_length=200)


@router.get("")
async def list_(
    response: Response,
    engine: TheEngine,
    principal: Reader,
    where: Annotated[ListQuery, Query()],
) -> list[dict[str, Any]]:
    """Requests, the one due first at the top."""
    wanted = where.filter(principal.tenant)
    async with engine.database.reading() as conn:
        found, total = await shown_requests(conn, wanted, limit=where.limit, offset=where.offset)
    set_page_headers(response, total=total, offset=where.offset, limit=where.limit)
    return [approval_json(request) for request in found]


@router.post("/claim")
async def claim_next(body: NextBody, engine: TheEngine, principal: Reviewer) -> dict[str, Any] | None:
    """Claim the most urgent request that you may decide and nobody has; `null` when there is none."""
    async with engine.database.transaction() as conn:
        wanted = Wanted(body.queue, body.workflow)
        request = await canaries.claim_next_canary(conn, principal, wanted, seconds=body.seconds)
        request = request or await claims.claim_next(conn, principal, wanted, seconds=body.seconds)
    return approval_json(request) if request else None


@router.post("/batch/preview")
async def preview(body: ChosenBody, engine: TheEngine, principal: Reader) -> dict[str, Any]:
    """Requests of one class together: sums by currency, which of them stand out, and the digest to decide with."""
    return batch_json(await engine.answers.batch(body.ids, principal))


@router.post("/batch")
async def decide_batch(body: BatchBody, engine: TheEngine, principal: Reviewer) -> dict[str, Any]:
    """Approve or reject the batch that was shown. Each request is decided by itself; what is refused says why."""
    said = Submission(body.type, reason=body.reason, reason_code=body.reason_code if body.type == "reject" else "")
    decided, refused = await engine.answers.decide_batch(body.ids, body.batch_digest, said, principal)
    return {
        "decided": [_told(request_id, one) for request_id, one in decided.items()],
        "refused": [{"request_id": of, "code": e.code, "detail": e.detail} for of, e in refused.items()],
    }


@router.get("/{request_id}")
async def get(request_id: UUID, engine: TheEngine, principal: Reader) -> dict[str, Any]:
    """One request, with what was said about it so far and the schema of a decision."""
    async with engine.database.reading() as conn:
        request = await shown_request(conn, str(request_id), tenant=principal.tenant)
        votes = await votes_on(conn, request.id)
        after = await shown_request(conn, request.replaced_by or request.id, tenant=principal.tenant)
    shown = approval_json(request) | {
        "votes": [{"by": vote.by, "type": vote.type, "at": vote.at} for vote in votes],
        "edited": changes(request.args, after.args),
    }
    workflow = engine.catalog.get(request.workflow)
    if workflow is None:
        return shown
    request_type, edits = workflow.tool(request.tool).request, request.quorum.needed == 1
    return shown | {"response_schema": response_schema(request.tool, request_type, edits=edits)}


@router.post("/{request_id}/decision")
async def decide(request_id: UUID, body: DecisionBody, engine: TheEngine, principal: Reviewer) -> dict[str, Any]:
    """Decide. `action_digest` must be the one that was shown; exactly one decision wins, the others get 409.

    Where a quorum is asked, each person's approval is kept, and `decision` is null until the last that it needs.
    `receipt` is where the case's audit trail stands now, signed: kept, it shows whoever rewrites the trail.
    """
    if body.action_digest is None:
        raise InvalidDecision(
            "A decision names the `action_digest` that you were shown.", hint="Read it from GET /approvals/{id}."
        )
    decided = await engine.answers.decide_shown(str(request_id), submission_of(body), principal)
    return _told(str(request_id), decided) | await _with_receipt(engine, str(request_id), decided)


@router.post("/{request_id}/undo")
async def undo(request_id: UUID, body: UndoBody, engine: TheEngine, principal: Staff) -> dict[str, Any]:
    """Take back what an approved request did, within the grace time of its queue: its tool's compensation is called.

    The call stands in the ledger as `effect` and is sent until it is answered.
    """
    return {"request_id": str(request_id), "effect": await engine.answers.undo(str(request_id), body.reason, principal)}


@router.post("/{request_id}/claim")
async def claim(request_id: UUID, body: ClaimBody, engine: TheEngine, principal: Reviewer) -> dict[str, Any]:
    """Have nobody else decide for so long; claim it again to keep it longer."""
    async with engine.database.transaction() as conn:
        try:
            request = await claims.claim(conn, str(request_id), principal, seconds=body.seconds)
        except NotFound:
            request = await canaries.claim_canary(conn, str(request_id), principal, seconds=body.seconds)
    return approval_json(request)


@router.post("/{request_id}/release")
async def release(request_id: UUID, engine: TheEngine, principal: Staff) -> dict[str, Any]:
    """Give a request back that you have; an operator gives back anybody's."""
    async with engine.database.transaction() as conn:
        try:
            request = await claims.release(conn, str(request_id), principal)
        except NotFound:
            request = await canaries.release_canary(conn, str(request_id), principal)
    return approval_json(request)


@router.post("/{request_id}/assign")
async def assign(request_id: UUID, body: ReceiverBody, engine: TheEngine, principal: Operator) -> dict[str, Any]:
    """Have one person decide and nobody else, until they give it back or it goes up."""
    async with engine.database.transaction() as conn:
        return approval_json(await claims.assign(conn, str(request_id), body.to, principal))


@router.post("/{request_id}/delegate")
async def delegate(request_id: UUID, body: ReceiverBody, engine: TheEngine, principal: Reviewer) -> dict[str, Any]:
    """Pass a request on to somebody who may decide it, too."""
    async with engine.database.transaction() as conn:
        return approval_json(await claims.delegate(conn, str(request_id), body.to, principal))


async def _with_receipt(engine: Engine, request_id: str, decided: Decided | Canary) -> dict[str, Any]:
    if isinstance(decided, Canary):
        return {}
    about = {"request_id": request_id, "decision": decided.decision, "votes": [vote.by for vote in decided.votes]}
    async with engine.database.reading() as conn:
        return {"receipt": await receipt_of(conn, engine.notary.signer, decided.run.thread_id, about)}


def _told(request_id: str, decided: Decided | Canary) -> dict[str, Any]:
    return canary_json(decided) if isinstance(decided, Canary) else decided_json(request_id, decided)
