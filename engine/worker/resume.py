"""What a claimed run has to do next, read from its checkpoint and from the decisions table."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from langgraph.types import Command, Interrupt, StateSnapshot
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
from engine.store.database import Connection


class Next(Enum):
    """What to do with a claimed run."""

    GO = "go"
    PARK = "park"
    DONE = "done"


@dataclass(frozen=True)
class Plan:
    """`GO` with `input` for LangGraph; `PARK` at undecided interrupts; `DONE`."""

    next: Next
    input: Any = None


def pending_interrupts(snapshot: StateSnapshot) -> dict[str, Interrupt]:
    """Interrupts that wait, by id."""
    return {interrupt.id: interrupt for task in snapshot.tasks for interrupt in task.interrupts}


async def plan(conn: Connection, run: Run, workflow: Workflow, snapshot: StateSnapshot, stands_at: set[str]) -> Plan:
    """Decide from what is stored; correct after any crash, because nothing else is remembered.

    `stands_at` are the stages that the checkpoint itself says come next.

    Raises `StageGone` when the run waits at a stage that the workflow lacks, `GateOpen` when a run with new input meets
    an open gate.
    """
    pending = pending_interrupts(snapshot)
    if run.kind == "input" and (snapshot.metadata or {}).get("run_id") != run.id:
        if pending:
            raise GateOpen(f"Thread {run.thread_id} waits at a gate; new input would walk around it.")
        return Plan(Next.GO, run.input)
    require_stages(run, workflow, stands_at)
    if not pending:
        # Not `snapshot.next`: it leaves out stages whose writes are saved already, although no checkpoint has them yet.
        return Plan(Next.GO) if snapshot.tasks else Plan(Next.DONE)
    answers = await _answers(conn, run, set(pending))
    return Plan(Next.GO, Command(resume=answers)) if answers else Plan(Next.PARK)


async def _answers(conn: Connection, run: Run, interrupt_ids: set[str]) -> dict[str, JsonValue]:
    """What the tables say of these interrupts, by id; interrupts without an answer are left out."""
    answers: dict[str, JsonValue] = {}
    for request in await asked_of_thread(conn, run.thread_id):
        if request.interrupt_id in interrupt_ids and request.status in DECISION_OF:
            decision = await decision_of(conn, request.id, tenant=run.tenant)
            answers[str(request.interrupt_id)] = cast(JsonObject, decision)
    for question in await questions_of_thread(conn, run.thread_id):
        if question.interrupt_id in interrupt_ids and question.status == "answered":
            answers[question.interrupt_id] = {"text": question.answer, "by": question.answered_by}
    for effect in await parked_effects(conn, run.thread_id):
        if effect.interrupt_id in interrupt_ids and effect.state != "unknown":
            answers[effect.interrupt_id] = {"call_key": effect.call_key, "state": effect.state}
    return answers


def require_stages(run: Run, workflow: Workflow, stands_at: set[str]) -> None:
    """Raises `StageGone`. LangGraph ends a run in silence when its stage was renamed; the checkpoint remembers it."""
    if gone := sorted(stands_at - set(workflow.stages)):
        raise StageGone(
            f"Run {run.id} stands at the stage {gone[0]!r}, which workflow {workflow.name!r} does not have.",
            hint="Deploy the version that has it, or bring the stage back under its old name.",
        )
