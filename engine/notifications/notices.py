"""Notices: what is told of a request, kept for every route that wants it, with the change of which it tells."""

from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.approval import JsonObject
from engine.audit.audit import Subject
from engine.notifications.routes import Kind, routes_for
from engine.store.database import Connection
from engine.webhooks.webhooks import enqueue_for_route


@dataclass(frozen=True)
class Notice:
    """What is told of a request: never its arguments, evidence or reasons, nor the state of its case."""

    kind: Kind
    request_id: str
    tenant: str
    thread_id: str
    run_id: str
    workflow: str
    queue: str
    role: str
    summary: str
    due_at: datetime | None
    expires_at: datetime | None
    decision: str = ""
    """How it was decided."""
    by: str = ""
    """By whom."""
    to: str = ""
    """To whom it was escalated."""

    def payload(self) -> JsonObject:
        data: JsonObject = {
            "event": self.kind,
            "request_id": self.request_id,
            "summary": self.summary,
            "workflow": self.workflow,
            "queue": self.queue,
            "role": self.role,
            "due_at": _at(self.due_at),
            "expires_at": _at(self.expires_at),
            "thread_id": self.thread_id,
            "run_id": self.run_id,
            "url": f"/approvals/{self.request_id}",
        }
        more = {"decision": self.decision, "by": self.by, "to": self.to}
        data |= {name: value for name, value in more.items() if value}
        return {"type": f"approval.{self.kind}", "timestamp": _at(datetime.now(UTC)), "data": data}


async def tell_routes(conn: Connection, notice: Notice) -> None:
    """Keep the notice for every route that wants it; expects the transaction of what it tells of."""
    subject = Subject(notice.thread_id, notice.run_id, "")
    for route in await routes_for(conn, notice.kind, tenant=notice.tenant, queue=notice.queue):
        await enqueue_for_route(conn, route, notice.payload(), subject, tenant=notice.tenant)


def _at(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat(timespec="milliseconds") if time else None
