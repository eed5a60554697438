"""A request goes up its queue's chain before its time, because somebody says so."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.bodies import Body
from api.door import Staff, TheEngine
from api.shapes import approval_json
from contracts.errors import GatehouseError
from engine.approvals.endings import note_refusal
from engine.approvals.escalation import escalate
from engine.approvals.requests import get_request

router = APIRouter(prefix="/approvals", tags=["approvals"])


class EscalationBody(Body):
    """Why it goes up."""

    reason: Annotated[str, Field(min_length=1, max_length=1000, description="Kept in the audit trail.")]


@router.post("/{request_id}/escalate")
async def escalate_now(request_id: UUID, body: EscalationBody, engine: TheEngine, principal: Staff) -> dict[str, Any]:
    """Move a request one step up: whoever is there may decide, too, and nobody has claimed it any more.

    Operators may, and reviewers who could decide it.
    """
    async with engine.database.reading() as conn:
        request = await get_request(conn, str(request_id), tenant=principal.tenant)
    try:
        async with engine.database.transaction() as conn:
            return approval_json(await escalate(conn, request, principal, reason=body.reason))
    except GatehouseError as error:
        if error.status < 500:
            async with engine.database.transaction() as conn:
                await note_refusal(conn, request, "escalate", principal, error)
        raise
