"""The ledger: every call is a row before it is sent, and a row is never opened twice."""

import hashlib
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal

import rfc8785
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from contracts.approval import JsonObject
from contracts.errors import (
    ApprovalRequired,
    DivergentExecution,
    ToolError,
    ToolRefused,
)
from contracts.event import Event
from contracts.guard import Finished
from contracts.tool import AnyTool
from engine.approvals.requests import require_approved
from engine.audit import audit
from engine.audit.audit import Subject
from engine.audit.objects import objects_of
from engine.gateway.capability import OnBehalf, token_family
from engine.runs.model import Run
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Intent:
    """A call that is about to be made."""

    call_key: str
    stage: str
    tool: AnyTool
    args: JsonObject
    approval_id: str | None = None
    action_digest: str | None = None
    compensates: str | None = None
    """The key of the call that this one takes back."""

    @property
    def queued(self) -> bool:
        """Whether it is only accepted now, and sent later."""
        return self.tool.effect == "outbox" or self.compensates is not None

    @property
    def args_hash(self) -> str:
        return hashlib.sha256(rfc8785.dumps(self.args)).hexdigest()

    @property
    def idempotency_key(self) -> str:
        """For an effect: digest and request, so that the outside system, too, sees one approval as one call."""
        text = f"{self.action_digest}:{self.approval_id}" if self.approval_id else self.call_key
        return hashlib.sha256(text.encode()).hexdigest()

    def on_behalf(self, run: Run) -> OnBehalf:
        """What the outside system is told of this call."""
        who = (run.requester, run.tenant, run.actor, run.version, run.id)
        return OnBehalf(*who, self.call_key, self.action_digest or self.args_hash)

    def attempt(self, number: int) -> "Attempt":
        return Attempt(self.call_key, self.tool.name, number)


@dataclass(frozen=True)
class Attempt:
    """One try to make a call of the tool named; the outbox counts from 0, when nothing was sent yet."""

    call_key: str
    tool: str
    number: int


class Step(Enum):
    """What to do after `begin`."""

    SEND = "send"
    RETURN = "return"
    FAIL = "fail"
    LOOK_UP = "look up"
    """An earlier attempt may have taken effect: ask the system what became of it."""
    GIVE_UP = "give up"
    """An earlier attempt may have taken effect, and nothing can be done but that a person finds out."""


@dataclass(frozen=True)
class Ending:
    """What became of an attempt."""

    state: Literal["done", "refused", "unknown"]
    result: JsonObject | None = None
    error: JsonObject | None = None
    failed_tries: tuple[JsonObject, ...] = ()
    """Errors of the tries before the last one: audited, not kept in the row."""


@dataclass(frozen=True)
class Entry:
    """A ledger row after `begin`: attempt number `attempt` is to be sent or looked up, or `result` to be returned."""

    step: Step
    attempt: int = 1
    result: JsonObject | None = None
    error: ToolError | None = None
    """Of a call that has just failed: the only one whose error is not recorded first and raised then."""
    age_s: float = 0
    """Seconds since the attempt began."""
    doubtful: bool = False
    """Whether an earlier attempt may have acted."""
    opened: bool = False
    """Whether the row is new."""


@dataclass(frozen=True)
class Counted:
    """How many calls a case has opened."""

    calls: int
    same: int
    """Of the same tool with the same arguments."""
    same_failed: int
    """Those of them that were refused or failed."""
    last_failure: str


async def begin(conn: Connection, run: Run, intent: Intent) -> Entry:
    """Open or find the row of a call; expects the run's fence before it in the same transaction.

    A write consumes its approval here. Raises `ApprovalRequired`, `DigestMismatch`, `DivergentExecution`, and
    `ToolRefused` where that was recorded before.
    """
    if intent.tool.writes:
        await require_approved(conn, run, intent.approval_id, intent.action_digest, tool=intent.tool.name)
    row = _row(run, intent)
    if await (await conn.execute(_SQL["begin"], row)).fetchone():
        await _record_start(conn, run, intent, attempt=row["attempt"])
        return replace(_accepted(intent) if intent.queued else Entry(Step.SEND), opened=True)
    found = await (await conn.execute(_SQL["row"], {"call_key": intent.call_key})).fetchone()
    if found is None:
        raise ApprovalRequired(f"The approval {intent.approval_id} was consumed by another call.")
    return await _again(conn, run, intent, found)


async def has_begun(conn: Connection, intent: Intent) -> bool:
    """Whether the call stands in the ledger."""
    return await (await conn.execute(_SQL["has_begun"], {"call_key": intent.call_key})).fetchone() is not None


async def begin_anew(conn: Connection, run: Run, intent: Intent, attempt: int) -> Entry:
    """A new attempt after attempt number `attempt`, which surely did not act; expects the run's fence.

    Where its worker has recorded by now what became of it, that is what counts. Raises as `begin` does.
    """
    row = await (await conn.execute(_SQL["row"], {"call_key": intent.call_key})).fetchone()
    if row and row["state"] != "started":
        return await _again(conn, run, intent, row)
    return await _send_again(conn, run, intent, attempt)


async def close(conn: Connection, subject: Subject, attempt: Attempt, ending: Ending) -> bool:
    """Record what became of an attempt, whoever holds the run by now; False when that is recorded already."""
    params = {
        "call_key": attempt.call_key,
        "attempt": attempt.number,
        "state": ending.state,
        "result": Jsonb(ending.result) if ending.result is not None else None,
        "error": Jsonb(ending.error) if ending.error is not None else None,
    }
    if not await (await conn.execute(_SQL["close"], params)).fetchone():
        return False
    data: JsonObject = {
        "call_key": attempt.call_key,
        "tool": attempt.tool,
        "attempt": attempt.number,
        "state": ending.state,
        "result": ending.result,
        "error": ending.error,
        "failed_tries": [*ending.failed_tries],
    }
    await audit.append(conn, subject, Event.CALL_FINISHED, data)
    return True


async def abandon(conn: Connection, run: Run) -> None:
    """Writes that were under way when their run was ended: nobody will hear what became of them."""
    error: JsonObject = {"detail": "the run was ended while the call was under way"}
    for row in await (await conn.execute(_SQL["abandon"], {"run_id": run.id, "error": Jsonb(error)})).fetchall():
        data: JsonObject = {**row, "state": "unknown", "result": None, "error": error}
        await audit.append(conn, run.subject(), Event.CALL_FINISHED, data)


async def count_calls(conn: Connection, run: Run, intent: Intent) -> Counted:
    """Calls that the case has opened over all its runs, and those among them that are the same as this one."""
    params = {"case_id": run.case_id, "tool": intent.tool.name, "args_hash": intent.args_hash}
    (row,) = await (await conn.execute(_SQL["count_calls"], params)).fetchall()
    return Counted(**row)


async def finished_calls(conn: Connection, run: Run) -> list[Finished]:
    """What the case has done and read over all its runs, oldest first."""
    rows = await (await conn.execute(_SQL["finished"], {"case_id": run.case_id})).fetchall()
    return [Finished(row["tool"], row["args"], row["result"]) for row in rows]


async def finished_on_thread(conn: Connection, run: Run) -> list[Finished]:
    """What has been done and read on the run's thread, by whichever case, oldest first."""
    rows = await (await conn.execute(_SQL["finished_on_thread"], {"thread_id": run.thread_id})).fetchall()
    return [Finished(row["tool"], row["args"], row["result"]) for row in rows]


async def consumed_approvals(conn: Connection, thread_id: str) -> set[str]:
    """Approvals of a thread whose calls have ended with a reply or a refusal."""
    rows = await (await conn.execute(_SQL["consumed_approvals"], {"thread_id": thread_id})).fetchall()
    return {str(row["approval_id"]) for row in rows}


async def has_acted(conn: Connection, run_id: str) -> bool:
    """Whether a run has begun any write."""
    return await (await conn.execute(_SQL["has_acted"], {"run_id": run_id})).fetchone() is not None


async def unknown_effects(conn: Connection, thread_id: str) -> int:
    """How many effects of a thread wait for a person to find out what became of them."""
    row = await (await conn.execute(_SQL["unknown_of_thread"], {"thread_id": thread_id})).fetchone()
    return int(row["effects"]) if row else 0


async def _again(conn: Connection, run: Run, intent: Intent, row: DictRow) -> Entry:
    if row["args_hash"] != intent.args_hash:
        raise DivergentExecution(f"A repeated stage {intent.stage!r} calls {intent.tool.name!r} with other arguments.")
    match row["state"]:
        case "done" | "resolved_done":
            return Entry(Step.RETURN, row["attempt"], row["result"])
        case "refused":
            raise ToolRefused(str(row["error"]["detail"]), facts={"recorded": True})
        case "resolved_not_done":
            return await _send_again(conn, run, intent, row["attempt"])
        case "started":
            return await _recover(conn, run, intent, row)
    return Entry(Step.GIVE_UP, row["attempt"])


async def _send_again(conn: Connection, run: Run, intent: Intent, attempt: int, *, doubtful: bool = False) -> Entry:
    await conn.execute(_SQL["again"], {"call_key": intent.call_key, "epoch": run.epoch})
    await _record_start(conn, run, intent, attempt=attempt + 1)
    return Entry(Step.SEND, attempt + 1, doubtful=doubtful)


async def _recover(conn: Connection, run: Run, intent: Intent, row: DictRow) -> Entry:
    """What the tool's class allows after an attempt of which nobody has told the end."""
    tool = intent.tool
    if tool.effect == "outbox":
        return _accepted(intent)
    if row["attempt_epoch"] == run.epoch:
        raise DivergentExecution(f"Stage {intent.stage!r} calls {tool.name!r} twice at a time under one key.")
    match tool.effect:
        case "read":
            return await _send_again(conn, run, intent, row["attempt"])
        case "idempotent" if row["age_s"] <= tool.key_retention_s:
            return await _send_again(conn, run, intent, row["attempt"], doubtful=True)
        case "idempotent":
            said = f"the worker died while it was calling; repeats are dropped for {tool.key_retention_s:g} s only"
        case "queryable":
            await conn.execute(_SQL["take_over"], {"call_key": intent.call_key, "epoch": run.epoch})
            return Entry(Step.LOOK_UP, row["attempt"], age_s=row["attempt_age_s"])
        case "at_most_once" | "transactional":
            said = "the worker died or lost its lease while it was calling"
    await close(conn, run.subject(), intent.attempt(row["attempt"]), Ending("unknown", error={"detail": said}))
    return Entry(Step.GIVE_UP, row["attempt"])


def _accepted(intent: Intent) -> Entry:
    return Entry(Step.RETURN, result={"idempotency_key": intent.idempotency_key})


async def _record_start(conn: Connection, run: Run, intent: Intent, *, attempt: int) -> None:
    data: JsonObject = {
        "call_key": intent.call_key,
        "stage": intent.stage,
        "tool": intent.tool.name,
        "tool_version": intent.tool.version,
        "effect": intent.tool.effect,
        "args": intent.args,
        "approval_id": intent.approval_id,
        "action_digest": intent.action_digest,
        "attempt": attempt,
        "jti": token_family(intent.call_key),
    }
    risky = intent.tool.reversibility == "irreversible"
    about = objects_of(run.tenant, intent.tool.name, intent.args, str(intent.args.get(intent.tool.target, "")))
    await audit.append(conn, run.subject(), Event.CALL_STARTED, data, high_risk=risky, objects=about)


def _row(run: Run, intent: Intent) -> dict[str, Any]:
    return {
        "call_key": intent.call_key,
        "tenant": run.tenant,
        "workflow": run.workflow,
        "thread_id": run.thread_id,
        "case_id": run.case_id,
        "run_id": run.id,
        "stage": intent.stage,
        "tool": intent.tool.name,
        "tool_version": intent.tool.version,
        "effect_class": intent.tool.effect,
        "args": Jsonb(intent.args),
        "args_hash": intent.args_hash,
        "action_digest": intent.action_digest,
        "approval_id": intent.approval_id,
        "idempotency_key": intent.idempotency_key,
        "compensates": intent.compensates,
        "queued": intent.queued,
        "attempt": 0 if intent.queued else 1,
        "epoch": run.epoch,
    }
