"""Who has a request: claimed for a while by whoever looks at it, or given to somebody. Only they decide meanwhile."""

from dataclasses import dataclass
from datetime import timedelta

from psycopg.rows import DictRow

from contracts.approval import JsonObject
from contracts.errors import Forbidden, NotClaimed, NotFound
from contracts.event import Event
from engine.access.keys import Principal, principal_of
from engine.approvals.decisions import require_free, require_open, require_reviewer
from engine.approvals.endings import lock_request
from engine.approvals.model import ApprovalRequest
from engine.approvals.requests import get_request
from engine.audit import audit
from engine.audit.audit import Subject
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Wanted:
    """Which requests somebody wants to look at; empty means any."""

    queue: str = ""
    workflow: str = ""


async def claim(conn: Connection, request_id: str, reviewer: Principal, *, seconds: float) -> ApprovalRequest:
    """Have nobody else decide for so long, counted anew by whoever has it. Repeatable.

    Raises `Forbidden`, `HeldByAnother`, `AlreadyDecided`, `ApprovalExpired`, `NotFound`.
    """
    row = await _open_row(conn, request_id, tenant=reviewer.tenant)
    require_reviewer(ApprovalRequest.of(row), reviewer)
    require_free(row["held_by"], reviewer)
    return await _take(conn, row, reviewer, seconds=seconds)


async def claim_next(
    conn: Connection, reviewer: Principal, wanted: Wanted, *, seconds: float
) -> ApprovalRequest | None:
    """Claim the most urgent request that the reviewer may decide and nobody has; None when there is none."""
    row = await next_row(conn, reviewer, wanted)
    return await _take(conn, row, reviewer, seconds=seconds) if row else None


async def next_row(conn: Connection, reviewer: Principal, wanted: Wanted) -> DictRow | None:
    """The row of the request that `claim_next` claims, held until the transaction ends."""
    params = {
        "tenant": reviewer.tenant,
        "name": reviewer.name,
        "roles": sorted(reviewer.approver_roles),
        "queue": wanted.queue or None,
        "workflow": wanted.workflow or None,
    }
    reviewer.require("reviewer")
    return await (await conn.execute(_SQL["next_claimable"], params)).fetchone()


async def release(conn: Connection, request_id: str, person: Principal) -> ApprovalRequest:
    """Give a request back, as whoever has it or as an operator.

    Raises `NotClaimed`, `Forbidden` and as `claim` does.
    """
    row = await _open_row(conn, request_id, tenant=person.tenant)
    require_holder(row["held_by"], person)
    await conn.execute(_SQL["release"], {"id": request_id})
    return await _noted(conn, row, person, Event.APPROVAL_RELEASED, {"held_by": row["held_by"]})


async def assign(conn: Connection, request_id: str, name: str, by: Principal) -> ApprovalRequest:
    """Have only `name` decide, until they give it back or it goes up; as an operator.

    Raises `Forbidden` for somebody who may not decide it, `NotFound` and as `claim` does.
    """
    by.require("operator")
    row = await _open_row(conn, request_id, tenant=by.tenant)
    return await _give(conn, row, name, by, Event.APPROVAL_ASSIGNED)


async def delegate(conn: Connection, request_id: str, name: str, by: Principal) -> ApprovalRequest:
    """Pass on a request that one may decide oneself. It gives nobody a right: `name` must be allowed to decide it.

    Raises `HeldByAnother`, and as `assign` does.
    """
    row = await _open_row(conn, request_id, tenant=by.tenant)
    require_reviewer(ApprovalRequest.of(row), by)
    require_free(row["held_by"], by)
    return await _give(conn, row, name, by, Event.APPROVAL_DELEGATED)


def require_holder(held_by: str | None, person: Principal) -> None:
    """Raises `NotClaimed` where nobody has a request, `Forbidden` unless `person` has it or operates."""
    if held_by is None:
        raise NotClaimed("Nobody has this request.")
    if held_by != person.name and "operator" not in person.roles:
        raise Forbidden(f"{held_by!r} has this request; they, or an operator, give it back.")


async def _open_row(conn: Connection, request_id: str, *, tenant: str) -> DictRow:
    row = await lock_request(conn, request_id)
    if row["tenant"] != tenant:
        raise NotFound(f"There is no approval request {request_id}.", hint="List them with: gatehouse approvals list")
    require_open(ApprovalRequest.of(row), too_late=bool(row["too_late"]))
    return row


async def _take(conn: Connection, row: DictRow, reviewer: Principal, *, seconds: float) -> ApprovalRequest:
    params = {"id": row["id"], "by": reviewer.name, "time": timedelta(seconds=seconds)}
    await conn.execute(_SQL["claim"], params)
    return await _noted(conn, row, reviewer, Event.APPROVAL_CLAIMED, {"seconds": seconds})


async def _give(conn: Connection, row: DictRow, name: str, by: Principal, event: Event) -> ApprovalRequest:
    try:
        receiver = await principal_of(conn, name if ":" in name else f"key:{name}", tenant=by.tenant)
    except Forbidden as error:
        raise NotFound(f"There is no reviewer {name!r}.", hint="See: gatehouse keys list") from error
    require_reviewer(ApprovalRequest.of(row), receiver)
    await conn.execute(_SQL["assign"], {"id": row["id"], "to": receiver.name, "by": by.name})
    return await _noted(conn, row, by, event, {"to": receiver.name, "held_by": row["held_by"]})


async def _noted(conn: Connection, row: DictRow, by: Principal, event: Event, data: JsonObject) -> ApprovalRequest:
    subject = Subject(str(row["thread_id"]), str(row["run_id"]), by.name)
    await audit.append(conn, subject, event, {"request_id": str(row["id"]), **data})
    return await get_request(conn, str(row["id"]), tenant=by.tenant)
