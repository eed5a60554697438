"""The autonomy ladder: how much each workflow does by itself for the caller's tenant, lowered and raised."""

from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import Field

from api.bodies import Body
from api.door import Anybody, Operator, Reader, TheEngine
from engine.policies import modes

router = APIRouter(prefix="/workflows", tags=["workflows"])

Json = dict[str, Any]
Name = Annotated[str, Path(description="A workflow.", pattern=r"^[^\x00]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=1000, description="Why; kept in the audit trail.")]


class ModeBody(Body):
    """Another mode for a workflow."""

    mode: modes.Mode
    reason: Reason


class WishBody(Body):
    """What a second person says of a higher mode that was asked for."""

    request_id: UUID
    type: Literal["approve", "reject"]
    reason: Reason


@router.get("/{name}/mode")
async def get(name: Name, engine: TheEngine, principal: Reader) -> Json:
    """The mode in which a workflow works, who set it, and the higher one that somebody asked for."""
    workflow = engine.catalog[name].name
    async with engine.database.reading() as conn:
        return asdict(await modes.standing(conn, workflow, tenant=principal.tenant))


@router.post("/{name}/mode")
async def change(name: Name, body: ModeBody, engine: TheEngine, principal: Operator) -> Json:
    """Lower a workflow's mode at once, from the next call on; or ask for a higher one, which somebody else decides."""
    workflow = engine.catalog[name].name
    async with engine.database.transaction() as conn:
        return asdict(await modes.change(conn, workflow, body.mode, principal, reason=body.reason))


@router.post("/{name}/mode/decision")
async def decide(name: Name, body: WishBody, engine: TheEngine, principal: Anybody) -> Json:
    """Agree to a higher mode that another operator asked for, or not; as an operator or a reviewer."""
    workflow, agreed = engine.catalog[name].name, body.type == "approve"
    async with engine.database.transaction() as conn:
        wish = str(body.request_id)
        return asdict(await modes.decide_wish(conn, workflow, wish, principal, agreed=agreed, reason=body.reason))
