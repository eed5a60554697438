"""Takes back what an effect did, for a person and within the grace of its queue: by a call of its own in the ledger."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from psycopg.rows import DictRow

from contracts.approval import JsonObject
from contracts.errors import CannotUndo
from contracts.event import Event
from contracts.policy import Verdict
from contracts.tool import AnyTool, Compensation
from engine.access.keys import Principal
from engine.approvals.decisions import require_reviewer
from engine.approvals.model import ApprovalRequest, Judged, NormalCall
from engine.approvals.requests import get_request, keep_decided, request_row
from engine.audit import audit
from engine.catalog.workflow import Workflow
from engine.gateway import ledger
from engine.gateway.cards import risk_of
from engine.gateway.ledger import Intent
from engine.runs.model import Run
from engine.runs.runs import get_run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Undo:
    """Who takes back what was done under an approval, and why."""

    request: ApprovalRequest
    person: Principal
    reason: str


async def undo(conn: Connection, wanted: Undo, workflow: Workflow) -> str:
    """Queue the call that takes back what an approved request did; the key of its ledger row.

    It is sent until it is answered. Whoever might have decided may have it done, and any operator, but not who
    started the case. Raises `Forbidden`, and `CannotUndo` for what was not done, has no compensation, was taken back
    before or is too long ago.
    """
    request, person = wanted.request, wanted.person
    require_reviewer(request, person, or_operator=True)
    await get_thread(conn, request.thread_id, tenant=request.tenant, lock=True)
    covered = await get_request(conn, request.replaced_by, tenant=request.tenant) if request.replaced_by else request
    grace_s = workflow.policy.queue.grace_s
    params = {"approval_id": covered.id, "grace": timedelta(seconds=grace_s)}
    row = await (await conn.execute(_SQL["to_undo"], params)).fetchone()
    tool = workflow.tool(request.tool)
    done, compensation = _undoable(row, tool, grace_s)
    back = compensation.request(tool.request.model_validate(done["args"]), tool.reply.model_validate(done["result"]))
    run = await get_run(conn, str(done["run_id"]), tenant=request.tenant)
    call = workflow.normalise(compensation.tool.name, back.model_dump(mode="json"))
    approval = await _approve(conn, run, covered, wanted, call, workflow)
    key, digest, undoes = f"approval:{approval.id}", approval.action_digest, done["call_key"]
    intent = Intent(key, done["stage"], compensation.tool, call.args, approval.id, digest, compensates=undoes)
    data: JsonObject = {"request_id": request.id, "undoes": undoes, "by_call": key, "reason": wanted.reason}
    await audit.append(conn, run.subject(person.name), Event.APPROVAL_UNDONE, data)
    await ledger.begin(conn, run, intent)
    return key


def _undoable(row: DictRow | None, tool: AnyTool, grace_s: int) -> tuple[DictRow, Compensation]:
    if row is None:
        raise CannotUndo("Nothing was done under this approval.", hint="To stop its case, cancel its run.")
    if row["state"] not in ("done", "resolved_done"):
        raise CannotUndo(f"The call of {tool.name!r} is {row['state']!r}, so there is nothing to take back.")
    by_hand = f"What a person can do: {tool.undo}"
    if tool.compensation is None:
        raise CannotUndo(f"{tool.name!r} has no compensation.", hint=by_hand)
    if row["undone_by"]:
        raise CannotUndo("It was taken back before.", facts={"undone_by": row["undone_by"]})
    if not row["in_time"]:
        raise CannotUndo(f"It was done at {row['finished_at']}, more than {grace_s} s ago.", hint=by_hand)
    return row, tool.compensation


async def _approve(
    conn: Connection, run: Run, covered: ApprovalRequest, wanted: Undo, call: NormalCall, workflow: Workflow
) -> ApprovalRequest:
    """What takes something back consumes an approval, too: the person's, for exactly this call."""
    tool, why = workflow.tool(call.tool), f"{wanted.person.name} takes back what request {covered.id} did."
    judged = Judged(call, {}, Verdict("allow", "undo", why), workflow.policy_version)
    card: JsonObject = covered.card | {
        "summary": f"Take back: {covered.card['summary']}"[:200],
        "reason": wanted.reason,
        "diff": [],
        "opinion": "",
        "risk": risk_of(tool),
        "undo": tool.undo,
    }
    row = request_row(run, judged, freeze_key=f"undo:{covered.id}", queue=covered.queue, card=card)
    approval = await keep_decided(conn, row, by=wanted.person.name, reason=wanted.reason)
    decision = approval.decision("approve", by=wanted.person.name, reason=wanted.reason, message="")
    said = cast(JsonObject, {"decided_request": approval.id, **decision})
    await audit.append(conn, run.subject(wanted.person.name), Event.APPROVAL_DECIDED, said)
    return approval
