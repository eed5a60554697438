"""Canaries: wrong copies of decided requests that reviewers are shown among the others; nothing is behind them.

They stand in a table of their own: what consumes, times, counts or measures requests never sees one.
"""

import secrets
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from contracts.approval import Decision, DecisionType, JsonObject
from contracts.errors import AlreadyDecided, ApprovalExpired, NotFound
from contracts.event import Event
from contracts.policy import Queue
from engine.access.keys import Principal
from engine.approvals.claims import Wanted, next_row, require_holder
from engine.approvals.decisions import Submission, require_free, require_reviewer, require_shown
from engine.approvals.hours import later
from engine.approvals.model import ApprovalRequest
from engine.approvals.requests import RequestFilter, count_requests, get_request, search_requests
from engine.audit import audit
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Canary:
    """One canary as it is held."""

    request: ApprovalRequest
    """As reviewers see it."""
    wrong: str
    decision: DecisionType | None
    decided_by: str | None
    held_by: str | None
    too_late: bool

    @property
    def caught(self) -> bool:
        """Whether somebody said anything else than yes."""
        return self.decision not in (None, "approve")


async def shown_requests(
    conn: Connection, where: RequestFilter, *, limit: int, offset: int
) -> tuple[list[ApprovalRequest], int]:
    """A page of requests with the canaries among them, the one due first at the top, and how many there are in all."""
    found: Sequence[DictRow] = ()
    if where.status == "pending" and where.thread_id is None:
        found = await (await conn.execute(_SQL["open_canaries"], vars(where))).fetchall()
    canaries, total = [ApprovalRequest.of(row) for row in found], await count_requests(conn, where)
    # Any of them may stand before the page: so many more requests are read, and the merged list is cut.
    first = max(0, offset - len(canaries))
    requests = await search_requests(conn, where, limit=limit + (offset - first), offset=first)
    merged = sorted([*requests, *canaries], key=_urgency)
    before = 0
    if first and requests:
        before = merged.index(requests[0])
    place = offset - first - before if requests or not first else len(merged)
    return merged[before:][place : place + limit], total + len(canaries)


async def find_canary(conn: Connection, request_id: str, *, tenant: str) -> Canary:
    """Held until the transaction ends. Raises `NotFound` as for a request that there is not."""
    row = await (await conn.execute(_SQL["canary"], {"id": request_id, "tenant": tenant})).fetchone()
    if row is None:
        raise NotFound(f"There is no approval request {request_id}.", hint="List them with: gatehouse approvals list")
    return Canary(
        ApprovalRequest.of(row),
        row["wrong"],
        row["decision"],
        row["canary_decided_by"],
        row["held_by"],
        row["too_late"],
    )


async def shown_request(conn: Connection, request_id: str, *, tenant: str) -> ApprovalRequest:
    """A request or a canary, which look the same. Raises `NotFound`."""
    try:
        return await get_request(conn, request_id, tenant=tenant)
    except NotFound:
        return (await find_canary(conn, request_id, tenant=tenant)).request


async def claim_canary(conn: Connection, request_id: str, reviewer: Principal, *, seconds: float) -> ApprovalRequest:
    """As a request is claimed; raises as that does."""
    canary = await find_canary(conn, request_id, tenant=reviewer.tenant)
    _require_open(canary, reviewer)
    params = {"id": request_id, "by": reviewer.name, "time": timedelta(seconds=seconds)}
    await conn.execute(_SQL["claim_canary"], params)
    await _note(conn, request_id, reviewer, Event.APPROVAL_CLAIMED, {"seconds": seconds})
    return (await find_canary(conn, request_id, tenant=reviewer.tenant)).request


async def claim_next_canary(
    conn: Connection, reviewer: Principal, wanted: Wanted, *, seconds: float
) -> ApprovalRequest | None:
    """The canary that is more urgent than every request that the reviewer might claim; None where there is none."""
    where = RequestFilter(reviewer.tenant, queue=wanted.queue or None, workflow=wanted.workflow or None)
    rows = await (await conn.execute(_SQL["open_canaries"], vars(where))).fetchall()
    for request in map(ApprovalRequest.of, rows):
        free = not request.claimed_until or request.claimed_until <= datetime.now(request.claimed_until.tzinfo)
        if not (free and reviewer.approver_roles & set(request.quorum.roles) and request.requester != reviewer.name):
            continue
        real = await next_row(conn, reviewer, wanted)
        if real is None or _urgency(request) < _urgency(ApprovalRequest.of(real)):
            return await claim_canary(conn, request.id, reviewer, seconds=seconds)
        return None
    return None


async def release_canary(conn: Connection, request_id: str, person: Principal) -> ApprovalRequest:
    """As a request is given back; raises as that does."""
    canary = await find_canary(conn, request_id, tenant=person.tenant)
    require_holder(canary.held_by, person)
    await conn.execute(_SQL["release_canary"], {"id": request_id})
    await _note(conn, request_id, person, Event.APPROVAL_RELEASED, {"held_by": canary.held_by})
    return (await find_canary(conn, request_id, tenant=person.tenant)).request


async def decide_canary(conn: Connection, request_id: str, said: Submission, reviewer: Principal) -> Canary:
    """Keep what the reviewer says; nothing else follows from it. Raises as deciding a request does."""
    canary = await find_canary(conn, request_id, tenant=reviewer.tenant)
    _require_open(canary, reviewer)
    require_shown(canary.request, said)
    await conn.execute(_SQL["decide_canary"], {"id": request_id, "decision": said.type, "by": reviewer.name})
    caught = said.type != "approve"
    data: JsonObject = {"decision": said.type, "caught": caught, "reason_code": said.reason_code, "wrong": canary.wrong}
    await _note(conn, request_id, reviewer, Event.CANARY_DECIDED, data)
    return await find_canary(conn, request_id, tenant=reviewer.tenant)


def decision_of_canary(canary: Canary) -> Decision:
    """In the shape of a decision about a request."""
    assert canary.decision  # noqa: S101  # it has just been made
    return canary.request.decision(canary.decision, by=canary.decided_by or "", reason="", message="")


async def sources(conn: Connection, queue: str, *, a_day: int) -> list[ApprovalRequest]:
    """Requests to copy, where a tenant's share for a day is not used up. Nobody else makes canaries meanwhile."""
    await conn.execute(_SQL["one_at_a_time"])
    rows = await (await conn.execute(_SQL["canary_sources"], {"queue": queue, "a_day": a_day})).fetchall()
    return [ApprovalRequest.of(row) for row in rows]


async def keep_canary(
    conn: Connection, source: ApprovalRequest, args: JsonObject, wrong: str, queue: Queue, *, now: datetime
) -> str:
    """Put a copy of `source` with these arguments to its queue; its id. It belongs to no run and no thread."""
    canary_id = str(uuid.uuid4())
    nothing = ("decided_at", "decided_by", "replaced_by", "assigned_to", "assigned_by", "warned_at", "breached_at")
    changes: dict[str, Any] = {name: None for name in nothing} | {
        "args": args,
        "action_digest": secrets.token_hex(32),
        "interrupt_id": secrets.token_hex(16),
        "thread_id": str(uuid.uuid4()),
        "run_id": str(uuid.uuid4()),
        "freeze_key": canary_id,
        "status": "pending",
        "reason": "",
        "reason_code": "",
        "message": "",
        "level": 0,
        "escalated_to": [],
    }
    row: dict[str, Any] = {"id": canary_id, "tenant": source.tenant, "queue": source.queue, "workflow": source.workflow}
    row |= {"copied_from": source.id, "changes": Jsonb(changes), "wrong": wrong}
    times = {"due": queue.target_s, "within": int(str(source.card["within_s"]))}
    after = {name: later(now, seconds, queue.hours) - now for name, seconds in times.items()}
    await conn.execute(_SQL["keep_canary"], row | after)
    data: JsonObject = {"copied_from": source.id, "wrong": wrong}
    await audit.append_to(conn, f"canary:{canary_id}", "system", Event.CANARY_ASKED, data)
    return canary_id


async def canaries_asked(conn: Connection, since: datetime, *, tenant: str) -> Counter[str]:
    """How many each queue was put since then."""
    rows = await (await conn.execute(_SQL["canaries_asked"], {"tenant": tenant, "since": since})).fetchall()
    return Counter({row["queue"]: row["asked"] for row in rows})


def _require_open(canary: Canary, reviewer: Principal) -> None:
    require_reviewer(canary.request, reviewer)
    if canary.decision is not None:
        winner = {"decided_by": canary.decided_by, "decision": canary.decision}
        raise AlreadyDecided(
            f"{canary.decided_by!r} decided this request before: {canary.decision}.", facts={"winner": winner}
        )
    if canary.too_late:
        raise ApprovalExpired(f"The request expired at {canary.request.expires_at}, which means rejected.")
    require_free(canary.held_by, reviewer)


async def _note(conn: Connection, canary_id: str, by: Principal, event: Event, data: JsonObject) -> None:
    await audit.append_to(conn, f"canary:{canary_id}", by.name, event, {"request_id": canary_id, **data})


def _urgency(request: ApprovalRequest) -> tuple[datetime, uuid.UUID]:
    assert request.due_at  # noqa: S101  # it was asked
    return request.due_at, uuid.UUID(request.id)
