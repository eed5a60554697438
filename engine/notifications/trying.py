"""Tries a route with a message that is about nothing."""

import uuid
from datetime import UTC, datetime

from contracts.approval import JsonObject
from contracts.errors import WebhookRefused
from engine.notifications.routes import Route
from engine.notifications.shapes import Address
from engine.webhooks.delivery import encoded
from engine.webhooks.sending import Sender


async def send_test(sender: Sender, route: Route, public_url: str) -> str:
    """Send it once, kept nowhere; what is wrong, "" if it was taken. Never names the address."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    message_id = str(uuid.uuid4())
    data: JsonObject = {
        "event": "test",
        "request_id": message_id,
        "summary": "Gatehouse can reach this place. Nothing waits for a decision.",
        "url": "/approvals",
    }
    address = Address(route)
    body = address.body({"type": "approval.test", "timestamp": now, "data": data}, public_url)
    try:
        return await sender.send(address.url, f"msg_{message_id}", encoded(body))
    except WebhookRefused:
        return "nothing may be sent to this address; GATEHOUSE_WEBHOOK_ALLOW lists hosts and networks inside"
