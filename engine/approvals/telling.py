"""Tells by the configured routes what becomes of a request, in the transaction in which it becomes so."""

from typing import TypedDict, Unpack

from engine.approvals.model import ApprovalRequest
from engine.notifications.notices import Notice, tell_routes
from engine.notifications.routes import Kind
from engine.store.database import Connection


class _More(TypedDict, total=False):
    decision: str
    by: str
    to: str


async def tell(conn: Connection, kind: Kind, request: ApprovalRequest, **more: Unpack[_More]) -> None:
    """Keep what is to be told, for every route that wants it; expects the transaction that makes it true.

    Where no route wants it, this is one look at a small table.
    """
    notice = Notice(
        kind,
        request_id=request.id,
        tenant=request.tenant,
        thread_id=request.thread_id,
        run_id=request.run_id,
        workflow=request.workflow,
        queue=request.queue,
        role=request.role,
        summary=str(request.card["summary"]),
        due_at=request.due_at,
        expires_at=request.expires_at,
        **more,
    )
    await tell_routes(conn, notice)
