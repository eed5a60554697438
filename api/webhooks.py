"""Webhooks: what became of them, and sending a dead one again. For operators."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from api.door import Operator, TheEngine
from engine.webhooks.webhooks import Webhook, retry_webhook, search_webhooks

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.get("")
async def list_(
    engine: TheEngine,
    principal: Operator,
    status: Literal["pending", "delivered", "dead", "all"] = "dead",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[dict[str, Any]]:
    """Webhooks, newest first; by default those that were given up."""
    wanted = None if status == "all" else status
    async with engine.database.transaction() as conn:
        found = await search_webhooks(conn, tenant=principal.tenant, status=wanted, limit=limit, offset=offset)
    return [_json(webhook) for webhook in found]


@router.post("/{webhook_id}/retry")
async def retry(webhook_id: UUID, engine: TheEngine, principal: Operator) -> dict[str, Any]:
    """Send a dead webhook again, with all its attempts."""
    async with engine.database.transaction() as conn:
        return _json(await retry_webhook(conn, str(webhook_id), tenant=principal.tenant, by=principal.name))


def _json(webhook: Webhook) -> dict[str, Any]:
    hidden = ("id", "tenant", "url", "payload")
    shown = {name: value for name, value in vars(webhook).items() if name not in hidden}
    return {"webhook_id": webhook.id, "target": webhook.target, **shown}
