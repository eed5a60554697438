"""Has the policy's guards look at a call, with all that the engine knows of where its values come from."""

from dataclasses import dataclass, replace

from contracts.approval import JsonObject
from contracts.guard import Finding, GuardedCall
from contracts.policy import GUARD_ASKS, GUARD_DENIES, Guarded
from contracts.tool import AnyTool
from contracts.values import folded_text, texts_at, texts_below
from engine.approvals.questions import answers_of_thread
from engine.catalog.workflow import Workflow
from engine.gateway import ledger
from engine.runs.model import Run
from engine.runs.runs import inputs_of_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_TO_SOMEBODY = ("recipient", "payee")


@dataclass(frozen=True)
class Looked:
    """What the guards said of a call."""

    findings: tuple[Finding, ...]
    facts: JsonObject


NOTHING_GUARDED = Looked((), {})


async def look_at(conn: Connection, run: Run, workflow: Workflow, tool: AnyTool, args: JsonObject) -> Looked:
    """What the policy's guards find in a call of a tool that has sinks; nothing where it has none."""
    guarded = workflow.policy.guarded
    if guarded is None or not tool.sinks:
        return NOTHING_GUARDED
    call = await _traceable(conn, run, workflow, tool, args)
    findings = [finding for guard in guarded.guards for finding in guard(call)]
    kept = tuple(finding for finding in findings if not _is_unchecked(guarded, tool, finding))
    reasons = {finding.kind for finding in kept} - {"trusted"}
    asks = reasons - {*guarded.denies}
    return Looked(kept, {GUARD_ASKS: bool(asks), GUARD_DENIES: bool(reasons - asks)})


async def remember_untrusted(conn: Connection, run: Run, tool: AnyTool, args: JsonObject, found: Looked) -> None:
    """What others wrote once stays untrusted in every later case, also where a trusted field shows it.

    What comes from nowhere at all is not kept: a copy of a case, which has made no calls, would spoil it for all.
    """
    marks = {folded_text(v) for f in found.findings if f.stains for v in texts_at(args, f.argument)}
    if marks:
        params = {"tenant": run.tenant, "tool": tool.name, "thread_id": run.thread_id, "marks": sorted(marks)}
        await conn.execute(_SQL["remember_untrusted"], params)


async def remember_parties(conn: Connection, run: Run, tool: AnyTool, args: JsonObject, call_key: str) -> None:
    """Keep to whom a write goes; who counts as known is settled by what became of it."""
    if parties := sorted(_parties(tool, args)):
        params = {"tenant": run.tenant, "tool": tool.name, "call_key": call_key, "marks": parties}
        await conn.execute(_SQL["remember_parties"], params)


async def _traceable(conn: Connection, run: Run, workflow: Workflow, tool: AnyTool, args: JsonObject) -> GuardedCall:
    said, told = await _words(conn, run, workflow)
    call = GuardedCall(
        tool=tool,
        args=args,
        said=said,
        told=told,
        past=await ledger.finished_on_thread(conn, run),
        tools={one.name: one for one in workflow.policy.callable_tools},
    )
    values = {folded_text(value) for path in tool.sinks for value in texts_at(args, path)}
    params = {"tenant": run.tenant, "tool": tool.name, "marks": sorted(values), "parties": sorted(_parties(tool, args))}
    rows = await (await conn.execute(_SQL["seen_before"], params)).fetchall()
    stained = frozenset(row["mark"] for row in rows if row["how"] == "untrusted")
    return replace(call, stained=stained, used_before=frozenset(row["mark"] for row in rows if row["how"] == "party"))


async def _words(conn: Connection, run: Run, workflow: Workflow) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the requester said, in the fields that hold their own words and in answers; and what else came in."""
    guarded = workflow.policy.guarded
    own = guarded.says if guarded else ()
    said: list[str] = []
    told: list[str] = []
    for requester, given in await inputs_of_thread(conn, run):
        for field, value in given.items():
            texts = [text for _, text in texts_below(value)]
            (said if field in own and requester == run.requester else told).extend(texts)
    said += await answers_of_thread(conn, run.thread_id)
    return tuple(said), tuple(told)


def _parties(tool: AnyTool, args: JsonObject) -> set[str]:
    paths = [path for path, sink in tool.sinks.items() if sink.kind in _TO_SOMEBODY]
    return {folded_text(value) for path in paths for value in texts_at(args, path)}


def _is_unchecked(guarded: Guarded, tool: AnyTool, finding: Finding) -> bool:
    return f"{tool.name}.{finding.argument}" in guarded.unchecked
