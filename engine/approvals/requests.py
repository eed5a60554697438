"""Approval requests until they are decided: frozen, asked, found, shown."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, cast

from psycopg.types.json import Jsonb

from contracts.approval import Draft, JsonObject, RequestStatus
from contracts.errors import (
    AlreadyDecided,
    ApprovalRequired,
    DigestMismatch,
    DivergentExecution,
    NotFound,
    PreconditionsChanged,
)
from contracts.event import Event
from contracts.policy import Queue, VerdictType
from engine.approvals.digest import Action
from engine.approvals.model import DECISION_OF, ApprovalRequest, Judged, NormalCall
from engine.approvals.plan import times_of
from engine.approvals.telling import tell
from engine.audit import audit
from engine.audit.objects import objects_of
from engine.runs.model import Run
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_FIRST_STATUS: dict[VerdictType, RequestStatus] = {
    "allow": "approved",
    "deny": "denied",
    "require_approval": "frozen",
}


def action_of(run: Run, call: NormalCall, *, version: str = "") -> Action:
    """The action that `run` proposes, in the form that is digested; `version` is that of the run if none is given."""
    return Action(
        workflow=run.workflow,
        version=version or run.version,
        actor=run.actor,
        subject=run.thread_id,
        tool=call.tool,
        tool_version=call.tool_version,
        args=call.args,
        target=call.target,
        preconditions=call.preconditions,
    )


def request_row(run: Run, judged: Judged, *, freeze_key: str, queue: str, card: JsonObject) -> dict[str, Any]:
    """The columns of a new request. Policy's own answers are decisions by policy; the rest waits for a person."""
    verdict = judged.verdict
    by_policy = verdict.type != "require_approval"
    return {
        "id": str(uuid.uuid4()),
        "freeze_key": freeze_key,
        "tenant": run.tenant,
        "thread_id": run.thread_id,
        "run_id": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "requester": run.requester,
        "queue": queue,
        "tool": judged.call.tool,
        "tool_version": judged.call.tool_version,
        "args": Jsonb(judged.call.args),
        "facts": Jsonb(judged.facts),
        "host": Jsonb(judged.host),
        "action_digest": action_of(run, judged.call).digest(),
        "verdict": verdict.type,
        "rule": verdict.rule,
        "why": verdict.why,
        "role": verdict.quorum.said(),
        "quorum": Jsonb(asdict(verdict.quorum)),
        "policy_version": judged.policy_version,
        "card": Jsonb(card | {"within_s": verdict.within_s}),
        "status": _FIRST_STATUS[verdict.type],
        "decided_by": f"policy:{judged.policy_version}" if by_policy else None,
        "reason": verdict.why if by_policy else "",
    }


async def freeze(conn: Connection, run: Run, judged: Judged, draft: Draft, **columns: Any) -> ApprovalRequest:
    """Store the action under its digest; expects the run's fence in the same transaction.

    A repeated stage gets the row that its first execution made; `DivergentExecution` if it now proposes otherwise.
    """
    new = request_row(run, judged, **columns)
    added = await (await conn.execute(_SQL["freeze"], new)).fetchone()
    row = added or await (await conn.execute(_SQL["by_freeze_key"], {"freeze_key": new["freeze_key"]})).fetchone()
    request = ApprovalRequest.of(row or {})
    if request.action_digest not in (new["action_digest"], _digest_before_a_move(run, judged.call, request)):
        raise DivergentExecution(
            f"A repeated stage of run {run.id} proposes another action for {request.tool!r} than it did before.",
            hint="A stage that proposes must depend on nothing but the state.",
        )
    if added:
        await _note_frozen(conn, run, request, judged, draft)
    return request


async def _note_frozen(conn: Connection, run: Run, request: ApprovalRequest, judged: Judged, draft: Draft) -> None:
    data: JsonObject = {
        "request_id": request.id,
        "tool": request.tool,
        "args": request.args,
        "action_digest": request.action_digest,
        "summary": draft["summary"],
        "verdict": request.verdict,
        "rule": request.rule,
        "why": request.why,
        "policy_version": request.policy_version,
        "facts": judged.verdict.inputs,
    }
    about = objects_of(run.tenant, request.tool, request.args, judged.call.target)
    await audit.append(conn, run.subject(), Event.ACTION_FROZEN, data, objects=about)
    if request.decided_by:  # policy decides as a principal of its own
        decided = request.decision(DECISION_OF[request.status], by=request.decided_by, reason=request.why, message="")
        said = cast(JsonObject, {"decided_request": request.id, "rule": request.rule, **decided})
        await audit.append(conn, run.subject(request.decided_by), Event.APPROVAL_DECIDED, said)


async def ask(
    conn: Connection,
    run: Run,
    interrupt_id: str,
    value: Mapping[str, Any],
    queue: Queue,
    *,
    now: datetime | None = None,
) -> None:
    """Open the request that an approval interrupt shows; expects the transaction that saves the interrupt.

    From `now` (the database's clock by default) its times run, all of them in seconds of review.
    Raises `DigestMismatch` when the interrupt does not show a frozen action of this case.
    """
    params = {
        "id": value["request_id"],
        "thread_id": run.thread_id,
        "action_digest": value["action_digest"],
        "interrupt_id": interrupt_id,
        "stage": value["stage"],
        "now": now,
    }
    times = times_of(queue, value["within_s"], now or datetime.now(UTC))
    asked = await (await conn.execute(_SQL["ask"], params | times)).fetchone()
    if asked is None:
        request = await get_request(conn, value["request_id"], tenant=run.tenant)
        if request.interrupt_id == interrupt_id and request.action_digest == value["action_digest"]:
            return
        raise DigestMismatch(
            f"Interrupt {interrupt_id} shows an action that was not frozen for thread {run.thread_id}."
        )
    await audit.append(
        conn,
        run.subject(),
        Event.APPROVAL_REQUESTED,
        {"request_id": params["id"], "action_digest": params["action_digest"], "queue": queue.name},
    )
    await tell(conn, "requested", ApprovalRequest.of(asked))


async def get_request(conn: Connection, request_id: str, *, tenant: str) -> ApprovalRequest:
    """Raises `NotFound`, also for another tenant's request."""
    row = await (await conn.execute(_SQL["by_id"], {"id": request_id, "tenant": tenant})).fetchone()
    if row is None:
        raise NotFound(f"There is no approval request {request_id}.", hint="List them with: gatehouse approvals list")
    return ApprovalRequest.of(row)


async def keep_decided(conn: Connection, row: dict[str, Any], *, by: str, reason: str) -> ApprovalRequest:
    """Keep an action that a person has already approved: an edited one, or one that takes another back."""
    decided = row | {"status": "approved", "decided_by": by, "reason": reason}
    kept = await (await conn.execute(_SQL["freeze"], decided)).fetchone()
    if kept is None:
        raise AlreadyDecided("This was decided before.")
    return ApprovalRequest.of(kept)


@dataclass(frozen=True)
class RequestFilter:
    """Which requests are looked for; None means any."""

    tenant: str
    status: str | None = "pending"
    queue: str | None = None
    workflow: str | None = None
    tool: str | None = None
    role: str | None = None
    held_by: str | None = None
    overdue: bool = False
    thread_id: str | None = None


async def search_requests(
    conn: Connection, where: RequestFilter, *, limit: int = 50, offset: int = 0
) -> list[ApprovalRequest]:
    """Requests that were put to people, the one due first at the top."""
    params = vars(where) | {"limit": limit, "offset": offset}
    return [ApprovalRequest.of(row) for row in await (await conn.execute(_SQL["search"], params)).fetchall()]


async def count_requests(conn: Connection, where: RequestFilter) -> int:
    """How many `search_requests` would find without a limit."""
    row = await (await conn.execute(_SQL["count"], vars(where))).fetchone()
    return int(row["requests"]) if row else 0


async def asked_of_thread(conn: Connection, thread_id: str) -> list[ApprovalRequest]:
    """Every request that the thread has put to people, oldest first."""
    rows = await (await conn.execute(_SQL["asked_of_thread"], {"thread_id": thread_id})).fetchall()
    return [ApprovalRequest.of(row) for row in rows]


async def require_approved(
    conn: Connection, run: Run, request_id: str | None, action_digest: str | None, *, tool: str
) -> None:
    """Hold the approval that a call of `tool` consumes, until its ledger row stands in the same transaction.

    The table is asked, by id and digest; what the state says of a decision counts for nothing. Raises
    `ApprovalRequired`, `DigestMismatch`.
    """
    row = await (await conn.execute(_SQL["to_consume"], {"id": request_id})).fetchone()
    if row is None or str(row["thread_id"]) != run.thread_id:
        raise ApprovalRequired(
            f"{tool!r} changes something and no approval of this case was named.",
            hint="Give the graph a proposal and a gate before this stage.",
        )
    if row["action_digest"] != action_digest:
        raise DigestMismatch(f"The approval covers another call of {tool!r} than the one that was tried.")
    if row["status"] != "approved":
        raise ApprovalRequired(f"The request for {tool!r} is {row['status']!r}, not approved.")


async def decided_by_a_person(conn: Connection, request_id: str | None) -> bool:
    """Whether somebody approved it, and not policy by itself."""
    row = await (await conn.execute(_SQL["decided_by"], {"id": request_id})).fetchone()
    return bool(row and row["decided_by"] and not row["decided_by"].startswith("policy:"))


async def supersede(conn: Connection, run: Run, request_id: str, error: PreconditionsChanged) -> None:
    """Have an approval of which no call has been made count no more; expects the run's fence and no ledger row."""
    params = {"id": request_id, "thread_id": run.thread_id, "reason": error.detail[:1000]}
    if await (await conn.execute(_SQL["supersede"], params)).fetchone():
        data = cast(JsonObject, {"request_id": request_id, "because": error.detail, **error.facts})
        await audit.append(conn, run.subject(), Event.APPROVAL_SUPERSEDED, data)


async def live_of_thread(conn: Connection, thread_id: str) -> list[ApprovalRequest]:
    """Actions of a thread that wait for a decision or were approved, carried out or not."""
    rows = await (await conn.execute(_SQL["live_of_thread"], {"thread_id": thread_id})).fetchall()
    return [ApprovalRequest.of(row) for row in rows]


async def frozen_under(conn: Connection, run: Run, request_id: str) -> str:
    """The version that the digest of a request binds: one from which the run's case was moved, or the run's own."""
    params = {"id": request_id, "thread_id": run.thread_id}
    row = await (await conn.execute(_SQL["frozen_under"], params)).fetchone()
    return str(row["version"]) if row and row["version"] in run.earlier_versions else run.version


def _digest_before_a_move(run: Run, call: NormalCall, request: ApprovalRequest) -> str | None:
    if request.version not in run.earlier_versions:
        return None
    return action_of(run, call, version=request.version).digest()
