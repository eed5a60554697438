"""What a claimed run has to do next, read from its checkpoint and from the decisions table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Interrupt, Send, StateSnapshot
from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import GateOpen, StageGone
from engine.approvals.decisions import decision_of
from engine.approvals.model import DECISION_OF
from engine.approvals.questions import questions_of_thread
from engine.approvals.requests import asked_of_thread
from engine.catalog.workflow import Workflow
from engine.gateway.outcomes import parked_effects
from engine.runs.model import Run
from engine.runs.runs import active_runs
from engine.store.database import Connection, Database

NOTHING_YET = StateSnapshot({}, (), {}, None, None, None, (), ())
"""Where a thread stands that has had no run."""


class Next(Enum):
    """What to do with a claimed run."""

    GO = "go"
    PARK = "park"
    DONE = "done"


@dataclass(frozen=True)
class Plan:
    """`GO` with `input` for LangGraph, under `config` where it starts from an earlier checkpoint; `PARK`; `DONE`."""

    next: Next
    input: Any = None
    config: RunnableConfig | None = None


@dataclass(frozen=True)
class Standing:
    """Where a thread stands when its run is claimed."""

    snapshot: StateSnapshot
    stands_at: set[str]
    """Stages that the checkpoint itself says come next."""
    config: RunnableConfig

    def made_by(self, run: Run) -> bool:
        """Whether this run made the newest checkpoint."""
        return (self.snapshot.metadata or {}).get("run_id") == run.id


def pending_interrupts(snapshot: StateSnapshot) -> dict[str, Interrupt]:
    """Interrupts that wait, by id."""
    return {interrupt.id: interrupt for task in snapshot.tasks for interrupt in task.interrupts}


async def plan(database: Database, run: Run, workflow: Workflow, standing: Standing) -> Plan:
    """Decide from what is stored; correct after any crash, because nothing else is remembered.

    Raises `StageGone` when the run waits at a stage that the workflow lacks, `GateOpen` when a run that brings no
    answer meets an open gate.
    """
    snapshot, pending = standing.snapshot, pending_interrupts(standing.snapshot)
    if run.kind != "resume" and not standing.made_by(run):
        if pending and not run.options.checkpoint_id:
            async with database.transaction() as conn:
                await _require_closed(conn, run, set(pending))
        return _begin(run, workflow, standing)
    require_stages(run, workflow, standing.stands_at)
    if not pending:
        # Not `snapshot.next`: it leaves out stages whose writes are saved already, although no checkpoint has them yet.
        return Plan(Next.GO) if snapshot.tasks else Plan(Next.DONE)
    async with database.reading() as conn:
        answers = await _answers(conn, run, pending)
    return Plan(Next.GO, Command(resume=answers)) if answers else Plan(Next.PARK)


def _begin(run: Run, workflow: Workflow, standing: Standing) -> Plan:
    """The first step of a run: its input, its command, or simply on from where the thread or a checkpoint stands."""
    options, config = run.options, standing.config
    if options.checkpoint_id:
        config = {**config, "configurable": {**config["configurable"], "checkpoint_id": options.checkpoint_id}}
    if options.update is not None or options.goto:
        goto = [Send(str(g["node"]), g.get("input")) if isinstance(g, dict) else str(g) for g in options.goto]
        return Plan(Next.GO, Command(update=options.update, goto=goto), config)
    if run.kind == "input":
        return Plan(Next.GO, run.input, config)
    if not options.checkpoint_id:
        require_stages(run, workflow, standing.stands_at)
        if not standing.snapshot.tasks:
            return Plan(Next.DONE)
    return Plan(Next.GO, None, config)


async def _require_closed(conn: Connection, run: Run, interrupt_ids: set[str]) -> None:
    """Raises `GateOpen` unless the run brings new input and what its thread waited for was cancelled.

    Such interrupts stay in the checkpoint; LangGraph forgets them when the new input arrives.
    """
    asked = await asked_of_thread(conn, run.thread_id)
    waiting = {r.interrupt_id for r in asked if r.status == "pending"}
    waiting |= {q.interrupt_id for q in await questions_of_thread(conn, run.thread_id) if q.status == "open"}
    waiting |= {e.interrupt_id for e in await parked_effects(conn, run.thread_id) if e.waits}
    # A leg that carries an answer may have been accepted after this run, and must find what was answered.
    answered = any(other.kind == "resume" for other in await active_runs(conn, run.thread_id))
    if run.kind != "input" or answered or waiting & interrupt_ids:
        raise GateOpen(f"Thread {run.thread_id} waits at a gate; this run would walk around it.")


async def _answers(conn: Connection, run: Run, pending: Mapping[str, Interrupt]) -> dict[str, JsonValue]:
    """What the tables say of these interrupts, by id; interrupts without an answer are left out."""
    answers: dict[str, JsonValue] = {}
    kinds = {interrupt.value["kind"] for interrupt in pending.values()}
    for request in await asked_of_thread(conn, run.thread_id) if "approval" in kinds else ():
        if request.interrupt_id in pending and request.status in DECISION_OF:
            decision = await decision_of(conn, request.id, tenant=run.tenant)
            answers[str(request.interrupt_id)] = cast(JsonObject, decision)
    for question in await questions_of_thread(conn, run.thread_id) if "clarification" in kinds else ():
        if question.interrupt_id in pending and question.status == "answered":
            answers[question.interrupt_id] = {"text": question.answer, "by": question.answered_by}
    for effect in await parked_effects(conn, run.thread_id) if "unknown_effect" in kinds else ():
        if effect.interrupt_id in pending and effect.state != "unknown":
            answers[str(effect.interrupt_id)] = {"call_key": effect.call_key, "state": effect.state}
    return answers


def require_stages(run: Run, workflow: Workflow, stands_at: set[str]) -> None:
    """Raises `StageGone`. LangGraph ends a run in silence when its stage was renamed; the checkpoint remembers it."""
    if gone := sorted(stands_at - set(workflow.stages)):
        raise StageGone(
            f"Run {run.id} stands at the stage {gone[0]!r}, which workflow {workflow.name!r} does not have.",
            hint="Deploy the version that has it, or bring the stage back under its old name.",
        )
