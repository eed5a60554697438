"""Alarms told by routes: about a workflow, a model or an outside system, and about no request."""

from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.approval import JsonObject
from engine.notifications.routes import routes_for
from engine.store.database import Connection
from engine.webhooks.webhooks import enqueue_for_route


@dataclass(frozen=True)
class AlarmNotice:
    """What is told of an alarm: names and numbers, nothing of a case."""

    kind: str
    tenant: str
    summary: str
    url: str
    """Where the figures stand."""
    facts: JsonObject

    def payload(self) -> JsonObject:
        told: JsonObject = {name: value for name, value in self.facts.items() if isinstance(value, (str, int, float))}
        data: JsonObject = {"event": "alarm", "alarm": self.kind, "summary": self.summary, "url": self.url}
        return {
            "type": "alarm.raised",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "data": told | data,
        }


async def tell_alarm(conn: Connection, notice: AlarmNotice) -> None:
    """Keep it for every route that wants alarms and names no queues; expects the transaction that raises it."""
    for route in await routes_for(conn, "alarm", tenant=notice.tenant, queue=""):
        await enqueue_for_route(conn, route, notice.payload(), None, tenant=notice.tenant)
