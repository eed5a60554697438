"""Requests for approval: listed, read, decided. GET never decides."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from api.door import Reader, Reviewer, TheEngine
from api.shapes import approval_json, decided_json
from contracts.errors import InvalidDecision
from engine.approvals.payloads import DecisionBody, decision_schema, submission_of
from engine.approvals.requests import get_request, search_requests

router = APIRouter(prefix="/approvals", tags=["approvals"])
Status = Literal["pending", "approved", "edited", "rejected", "responded", "expired", "superseded", "cancelled", "all"]


@router.get("")
async def list_(
    engine: TheEngine,
    principal: Reader,
    status: Status = "pending",
    thread_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[dict[str, Any]]:
    """Requests, the one due first at the top."""
    async with engine.database.transaction() as conn:
        found = await search_requests(
            conn,
            tenant=principal.tenant,
            status=None if status == "all" else status,
            thread_id=str(thread_id) if thread_id else None,
            limit=limit,
            offset=offset,
        )
    return [approval_json(request) for request in found]


@router.get("/{request_id}")
async def get(request_id: UUID, engine: TheEngine, principal: Reader) -> dict[str, Any]:
    """One request, with the schema of a decision."""
    async with engine.database.transaction() as conn:
        request = await get_request(conn, str(request_id), tenant=principal.tenant)
    return approval_json(request) | {"response_schema": decision_schema()}


@router.post("/{request_id}/decision")
async def decide(request_id: UUID, body: DecisionBody, engine: TheEngine, principal: Reviewer) -> dict[str, Any]:
    """Decide. `action_digest` must be the one that was shown; exactly one decision wins, the others get 409."""
    if body.action_digest is None:
        raise InvalidDecision(
            "A decision names the `action_digest` that you were shown.", hint="Read it from GET /approvals/{id}."
        )
    decided = await engine.intake.decide(str(request_id), submission_of(body), principal)
    return decided_json(str(request_id), decided)
