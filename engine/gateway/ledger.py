"""The ledger: every call is a row before it is sent, and a row is never opened twice."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import rfc8785
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from contracts.approval import JsonObject
from contracts.errors import (
    ApprovalRequired,
    DivergentExecution,
    ToolRefused,
)
from contracts.event import Event
from contracts.tool import AnyTool
from engine.approvals.requests import require_approved
from engine.audit import audit
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

    @property
    def args_hash(self) -> str:
        return hashlib.sha256(rfc8785.dumps(self.args)).hexdigest()

    @property
    def idempotency_key(self) -> str:
        """For an effect: digest and request, so that the outside system, too, sees one approval as one call."""
        text = f"{self.action_digest}:{self.approval_id}" if self.approval_id else self.call_key
        return hashlib.sha256(text.encode()).hexdigest()


class Step(Enum):
    """What to do after `begin`."""

    SEND = "send"
    RETURN = "return"
    GIVE_UP = "give up"
    """An earlier attempt may have taken effect and the tool does not drop repeats: a person finds out."""


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
    """A ledger row after `begin`: send attempt number `attempt`, or return `result`."""

    step: Step
    attempt: int = 1
    result: JsonObject | None = None


async def begin(conn: Connection, run: Run, intent: Intent) -> Entry:
    """Open or find the row of a call; expects the run's fence before it in the same transaction.

    A write consumes its approval here. Raises `ApprovalRequired`, `DigestMismatch`, `DivergentExecution`, and
    `ToolRefused` where that was recorded before.
    """
    if intent.tool.writes:
        await require_approved(conn, run, intent.approval_id, intent.action_digest, tool=intent.tool.name)
    added = (await conn.execute(_SQL["begin"], _row(run, intent))).rowcount
    if added:
        await _record_start(conn, run, intent, attempt=1)
        return Entry(Step.SEND)
    row = await (await conn.execute(_SQL["row"], {"call_key": intent.call_key})).fetchone()
    if row is None:
        raise ApprovalRequired(f"The approval {intent.approval_id} was consumed by another call.")
    return await _again(conn, run, intent, row)


async def close(conn: Connection, run: Run, intent: Intent, attempt: int, ending: Ending) -> None:
    """Record what became of an attempt, whoever holds the run by now."""
    params = {
        "call_key": intent.call_key,
        "attempt": attempt,
        "state": ending.state,
        "result": Jsonb(ending.result) if ending.result is not None else None,
        "error": Jsonb(ending.error) if ending.error is not None else None,
    }
    if await (await conn.execute(_SQL["close"], params)).fetchone():
        data: JsonObject = {
            "call_key": intent.call_key,
            "tool": intent.tool.name,
            "attempt": attempt,
            "state": ending.state,
            "result": ending.result,
            "error": ending.error,
            "failed_tries": [*ending.failed_tries],
        }
        await audit.append(conn, run.subject(), Event.CALL_FINISHED, data)


async def abandon(conn: Connection, run: Run) -> None:
    """Writes that were under way when their run was ended: nobody will hear what became of them."""
    error: JsonObject = {"detail": "the run was ended while the call was under way"}
    for row in await (await conn.execute(_SQL["abandon"], {"run_id": run.id, "error": Jsonb(error)})).fetchall():
        data: JsonObject = {**row, "state": "unknown", "result": None, "error": error}
        await audit.append(conn, run.subject(), Event.CALL_FINISHED, data)


async def count_calls(conn: Connection, run: Run) -> int:
    """Calls that the case has opened over all its runs."""
    row = await (await conn.execute(_SQL["count_calls"], {"case_id": run.case_id})).fetchone()
    return int(row["calls"]) if row else 0


async def _again(conn: Connection, run: Run, intent: Intent, row: DictRow) -> Entry:
    if row["args_hash"] != intent.args_hash:
        raise DivergentExecution(f"A repeated stage {intent.stage!r} calls {intent.tool.name!r} with other arguments.")
    match row["state"]:
        case "done" | "resolved_done":
            return Entry(Step.RETURN, row["attempt"], row["result"])
        case "refused":
            raise ToolRefused(str(row["error"]["detail"]), facts={"recorded": True})
        case "started" if row["attempt_epoch"] == run.epoch:
            raise DivergentExecution(
                f"Stage {intent.stage!r} calls {intent.tool.name!r} twice at a time under one key."
            )
        case "started" if intent.tool.effect != "at_most_once":
            await conn.execute(_SQL["again"], {"call_key": intent.call_key, "epoch": run.epoch})
            await _record_start(conn, run, intent, attempt=row["attempt"] + 1)
            return Entry(Step.SEND, row["attempt"] + 1)
        case "started":
            died: JsonObject = {"detail": "the worker died or lost its lease while it was calling"}
            await close(conn, run, intent, row["attempt"], Ending("unknown", error=died))
    return Entry(Step.GIVE_UP, row["attempt"])


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
    }
    await audit.append(conn, run.subject(), Event.CALL_STARTED, data)


def _row(run: Run, intent: Intent) -> dict[str, Any]:
    return {
        "call_key": intent.call_key,
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
        "epoch": run.epoch,
    }
