"""Outcomes that nobody knows: shown to people, found out by one of them, and what the case does then."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from contracts.approval import JsonObject
from contracts.errors import AlreadySettled, Forbidden, InvalidRequest, NotFound
from contracts.event import Event
from contracts.tool import AnyTool
from engine.access.keys import Principal
from engine.audit import audit
from engine.limits.switches import Scope, which_is_off
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Run
from engine.runs.runs import NextLeg, active_runs, create_resume, get_run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

Found = Literal["happened", "did_not_happen", "abort"]
_STATE_OF = {"happened": "resolved_done", "did_not_happen": "resolved_not_done", "abort": "refused"}


@dataclass(frozen=True)
class Effect:
    """One row of the ledger that changes something."""

    call_key: str
    tenant: str
    workflow: str
    thread_id: str
    run_id: str
    stage: str
    tool: str
    tool_version: str
    effect_class: str
    args: JsonObject
    action_digest: str
    approval_id: str
    idempotency_key: str
    state: str
    attempt: int
    result: JsonObject | None
    error: JsonObject | None
    opened_at: datetime
    started_at: datetime
    finished_at: datetime | None
    due_at: datetime | None
    interrupt_id: str | None
    compensates: str | None
    """The key of the call that this one takes back."""
    leg_id: str
    """The last run of the thread."""
    resolution: Found | None
    resolved_by: str | None
    resolved_at: datetime | None
    note: str
    parked: bool
    """Whether the case, which is not over, asked for a person to find out."""

    @property
    def waits(self) -> bool:
        """Whether the case stands still until a person has found out."""
        return self.parked and self.state == "unknown"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        for name in ("thread_id", "run_id", "approval_id", "leg_id"):
            values[name] = str(row[name])
        return cls(**values)


@dataclass(frozen=True)
class Resolution:
    """What a person found out about an effect."""

    outcome: Found
    result: JsonObject | None = None
    """`happened`: the reply that was lost, as the tool would have given it."""
    note: str = ""


@dataclass(frozen=True)
class EffectFilter:
    """Which effects are wanted; None stands for any."""

    state: str | None = "unknown"
    workflow: str | None = None
    tool: str | None = None
    thread_id: str | None = None
    """The case."""


async def search_effects(
    conn: Connection, wanted: EffectFilter, *, tenant: str, limit: int = 50, offset: int = 0
) -> list[Effect]:
    """Effects of a tenant, the one that was begun first at the top."""
    params = vars(wanted) | {"tenant": tenant, "limit": limit, "offset": offset}
    return [Effect.of(row) for row in await (await conn.execute(_SQL["search"], params)).fetchall()]


async def get_effect(conn: Connection, call_key: str, *, tenant: str) -> Effect:
    """Raises `NotFound`, also for another tenant's effect and for a call that only read."""
    row = await (await conn.execute(_SQL["effect"], {"call_key": call_key, "tenant": tenant})).fetchone()
    if row is None:
        raise NotFound(f"There is no effect {call_key!r}.", hint="List them with: gatehouse effects list")
    return Effect.of(row)


async def effect_of_approval(conn: Connection, approval_id: str, *, tenant: str) -> Effect:
    """The effect that consumed an approval. Raises `NotFound`."""
    row = await (await conn.execute(_SQL["by_approval"], {"approval_id": approval_id, "tenant": tenant})).fetchone()
    if row is None:
        raise NotFound(f"Approval {approval_id} was not consumed by any call.")
    return Effect.of(row)


async def call_is_off(conn: Connection, run_id: str, tool: str, *, tenant: str) -> bool:
    """Whether what makes a call is switched off: its tenant, workflow, run or tool; so is a run that there is not."""
    try:
        run = await get_run(conn, run_id, tenant=tenant)
    except NotFound:
        return True
    asked: list[tuple[Scope, str]] = [("workflow", run.workflow), ("run", run.id), ("run", run.case_id), ("tool", tool)]
    return await which_is_off(conn, asked, tenant=tenant) is not None


async def park(conn: Connection, run: Run, interrupt_id: str, value: Mapping[str, Any]) -> None:
    """Have the case wait for a person to find out; expects the transaction that saves the interrupt."""
    params = {"call_key": value["call_key"], "thread_id": run.thread_id, "interrupt_id": interrupt_id}
    row = await (await conn.execute(_SQL["park"], params)).fetchone()
    if row is None:
        raise NotFound(f"Interrupt {interrupt_id} shows no effect of thread {run.thread_id}.")
    data: JsonObject = {"call_key": value["call_key"], "tool": row["tool"], "stage": row["stage"]}
    await audit.append(conn, run.subject(), Event.OUTCOME_ASKED, data)


async def go_on_if_known(conn: Connection, run: Run, interrupt_ids: Collection[str], dispatcher: Dispatcher) -> None:
    """Have the case go on at once if it parks at what somebody has found out meanwhile.

    Expects the transaction that parks it and holds its thread.
    """
    parked, active = await parked_effects(conn, run.thread_id), await active_runs(conn, run.thread_id)
    known = any(effect.interrupt_id in interrupt_ids and effect.state != "unknown" for effect in parked)
    if known and not any(other.case_id == run.case_id for other in active):
        await create_resume(conn, run, dispatcher)


async def parked_effects(conn: Connection, thread_id: str) -> list[Effect]:
    """Effects at which the thread ever parked, oldest first; it waits for those that say so."""
    rows = await (await conn.execute(_SQL["parked_effects"], {"thread_id": thread_id})).fetchall()
    return [Effect.of(row) for row in rows]


async def require_resolver(conn: Connection, effect: Effect, person: Principal) -> Run:
    """The run that began the effect. Raises `Forbidden` unless a reviewer or operator who did not start it asks."""
    if not person.roles & {"reviewer", "operator"}:
        raise Forbidden(f"{person.name!r} is neither reviewer nor operator.")
    run = await get_run(conn, effect.run_id, tenant=effect.tenant)
    if person.name == run.requester:
        raise Forbidden("Who started a case may not say what became of it (four eyes).", hint="Ask somebody else.")
    return run


async def resolve(
    conn: Connection, effect: Effect, resolution: Resolution, person: Principal, tool: AnyTool, following: NextLeg
) -> tuple[Effect, Run | None]:
    """Record what a person found out, and have the case go on if it waits for that; exactly one resolution wins.

    Raises `Forbidden`, `InvalidRequest` for a result that is not the tool's reply, `AlreadySettled` naming the winner.
    """
    run = await require_resolver(conn, effect, person)
    result = _result(effect, resolution, tool)
    await get_thread(conn, effect.thread_id, tenant=effect.tenant, lock=True)
    state = await _conclude(conn, effect, resolution, person, result)
    data: JsonObject = {
        "call_key": effect.call_key,
        "tool": effect.tool,
        "outcome": resolution.outcome,
        "state": state,
        "result": result,
        "note": resolution.note,
        "by": person.name,
    }
    await audit.append(conn, run.subject(person.name), Event.CALL_RESOLVED, data)
    settled = await get_effect(conn, effect.call_key, tenant=effect.tenant)
    if not settled.parked:
        return settled, None
    return settled, await following.begin(conn, await get_run(conn, settled.leg_id, tenant=effect.tenant))


async def _conclude(
    conn: Connection, effect: Effect, resolution: Resolution, person: Principal, result: JsonObject | None
) -> str:
    said: JsonObject = {"code": "aborted", "detail": f"{person.name} ended it: {resolution.note or 'without a note'}"}
    # An outbox call goes back to be sent: its stage has gone on and will not ask again.
    sent_later = effect.effect_class == "outbox" or effect.compensates is not None
    queued = resolution.outcome == "did_not_happen" and sent_later
    error: JsonObject | None = said if resolution.outcome == "abort" else effect.error
    params = {
        "call_key": effect.call_key,
        "state": "started" if queued else _STATE_OF[resolution.outcome],
        "queued": queued,
        "resolution": resolution.outcome,
        "by": person.name,
        "note": resolution.note,
        "result": Jsonb(result) if result is not None else None,
        "error": Jsonb({"detail": "a person found that it did not happen"} if queued else error),
    }
    row = await (await conn.execute(_SQL["resolve"], params)).fetchone()
    if row is None:
        now = await get_effect(conn, effect.call_key, tenant=effect.tenant)
        winner = {"resolved_by": now.resolved_by, "outcome": now.resolution, "state": now.state}
        raise AlreadySettled(f"What became of {effect.tool!r} is known: {now.state}.", facts={"winner": winner})
    return str(row["state"])


def _result(effect: Effect, resolution: Resolution, tool: AnyTool) -> JsonObject | None:
    if resolution.outcome != "happened":
        if resolution.result is not None:
            raise InvalidRequest("Only what happened has a `result`.")
        return None
    if effect.effect_class == "outbox":
        return {"idempotency_key": effect.idempotency_key}
    if tool.version != effect.tool_version:
        raise InvalidRequest(
            f"The effect was made with version {effect.tool_version} of {tool.name!r}; this server has {tool.version}.",
            hint="Resolve it at a server that has the version of the workflow with which the case was begun.",
        )
    try:
        result: JsonObject = tool.reply.model_validate(resolution.result or {}).model_dump(mode="json")
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        raise InvalidRequest(
            f"The result is not a reply of {tool.name!r}: {'; '.join(problems)}",
            facts={"schema": tool.reply.model_json_schema()},
        ) from error
    return result
