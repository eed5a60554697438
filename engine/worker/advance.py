"""Carries one run forward: claim, decide from the checkpoint, run the graph, park or finish."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import All, Interrupt, StateSnapshot
from langsmith import tracing_context

from contracts.approval import JsonObject
from contracts.context import Context
from contracts.errors import (
    DigestMismatch,
    GatehouseError,
    LeaseLost,
    LoopDetected,
    NotFound,
    RepeatedFailure,
    RunGivenUp,
    StoreUnavailable,
    VersionChanged,
    VersionDrained,
)
from contracts.event import Event
from engine.approvals.questions import ask_question
from engine.approvals.requests import ask
from engine.audit import audit
from engine.catalog.catalog import Catalog
from engine.catalog.workflow import Workflow
from engine.gateway.calls import Gateway, RunTools
from engine.gateway.controls import Control
from engine.gateway.gates import RunGates
from engine.gateway.ledger import abandon
from engine.gateway.limits import controls_with
from engine.gateway.outcomes import go_on_if_known, park
from engine.gateway.systems import Systems
from engine.limits.terms import LimitTerms
from engine.models.asking import RunModels
from engine.models.sources import ModelSources
from engine.reasoning.branches import forks_of
from engine.reasoning.exports import Exports
from engine.reasoning.following import Follower
from engine.reasoning.pages import Pages, Traced
from engine.runs import pins, runs
from engine.runs.dispatch import Dispatcher
from engine.runs.events import Notices
from engine.runs.model import Cancellation, Outcome, Run, RunStatus
from engine.store.checkpointer import FencedSaver, Holder
from engine.store.database import Connection, Database
from engine.store.journal import HOLD_S, Journal
from engine.store.scope import across_tenants, of_tenant
from engine.store.seal import SealedSerializer
from engine.traces.metrics import LEASES_LOST, RUNS_ENDED
from engine.worker.admission import after_cancel
from engine.worker.case import case_of
from engine.worker.intake import Intake
from engine.worker.lease import CancelRequested, Lease, held
from engine.worker.migration import Migrator
from engine.worker.observed import observed
from engine.worker.relay import Relay
from engine.worker.resume import NOTHING_YET, Next, Standing, pending_interrupts, plan

_LOG = logging.getLogger("gatehouse.worker")
_MAX_ATTEMPTS = 5
_MAX_STEPS = 100


@dataclass(frozen=True)
class Carrier:
    """Everything a worker needs to carry runs."""

    database: Database
    dispatcher: Dispatcher
    notices: Notices
    catalog: Catalog
    migrator: Migrator
    systems: Systems
    models: ModelSources
    seal_key: bytes
    lease: Lease
    name: str
    intake: Intake
    """Takes the runs of schedules."""
    control: RunControl
    """Asked to drain when the worker stops: runs stop at the next stage boundary."""
    hold_s: float = HOLD_S
    """How long what a stage computed may wait to be written."""
    controls: tuple[Control, ...] = controls_with(LimitTerms())
    """What may refuse a tool call."""
    exports: Exports | None = None
    """Who sends what was traced elsewhere."""
    opened_on: str = ""
    """Evals set the day on which their cases were opened, so that no case changes its meaning as time passes."""

    async def advance(self, run_id: str) -> None:
        """Take the run and carry it as far as it goes; does nothing when somebody else holds it. Never raises."""
        run = None
        with _left_to_others(run_id), across_tenants("a wake-up names a run and not its tenant"):
            async with self.database.transaction() as conn:
                run = await self.claim(conn, run_id)
        if run:
            await self.carry(run)

    async def claim(self, conn: Connection, run_id: str) -> Run | None:
        """Take the run in the caller's transaction; None when it is not to be had."""
        return await runs.claim(conn, run_id, owner=self.name, lease_s=self.lease.seconds)

    async def carry(self, run: Run) -> None:
        """Carry a run that was taken as far as it goes; never raises."""
        observing = observed(run, worker=self.name)
        with of_tenant(run.tenant), observing, self.notices.carried(run), _left_to_others(run.id):
            # Only what is configured leaves: not whatever LangSmith finds in the environment.
            with tracing_context(enabled=False):
                await self._advance(run)
            if self.exports and run.workflow in self.catalog:
                self.exports.ended(_traced_of(run, self.catalog[run.workflow]))

    def tools(self, run: Run, journal: Journal, workflow: Workflow) -> RunTools:
        """What a taken run reaches tools by."""
        gateway = Gateway(self.database, self.systems, self.lease.send_within_s, self.controls)
        return RunTools(gateway, journal, workflow, run)

    def gates(self, run: Run, journal: Journal, workflow: Workflow) -> RunGates:
        """What a taken run asks people by."""
        return RunGates(self.database, journal, workflow, run, systems=self.systems)

    def asks(self, run: Run, journal: Journal, workflow: Workflow) -> RunModels:
        """What a taken run asks models by."""
        return RunModels(self.database, journal, self.models, workflow, run)

    async def _advance(self, run: Run) -> None:
        journal = Journal(self.database, run.id, run.epoch, hold_s=self.hold_s)
        try:
            await self._carry_under_lease(run, journal)
        except (LeaseLost, psycopg.OperationalError, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001  # the worker's edge: any failure of a workflow ends its run, not the worker
            await self._fail(run, journal, error)

    async def _carry_under_lease(self, run: Run, journal: Journal) -> None:
        try:
            async with held(self.database, self.notices, run, self.lease):
                await self._carry(run, journal)
        except (VersionChanged, VersionDrained) as error:
            async with self.database.transaction() as conn:
                await pins.hold(conn, run, self.catalog[run.workflow].version, because=error.detail)
        except GraphDrained:
            async with journal.transaction() as conn:
                await runs.release(conn, run, self.dispatcher)
        except CancelRequested as request:
            await self._finish(run, journal, _Ending("interrupted", "cancelled", asked=request.asked))

    async def _carry(self, run: Run, journal: Journal) -> None:
        if run.attempts > _MAX_ATTEMPTS:
            raise RunGivenUp(f"Run {run.id} was given up after {_MAX_ATTEMPTS} attempts.", hint="A person looks at it.")
        workflow = self.catalog[run.workflow]
        if run.version != workflow.version or run.refused_by == workflow.version:
            run = await self.migrator.adopt(run)
        saver = self._saver(run, journal, workflow)
        graph = workflow.graph.copy({"checkpointer": saver})
        snapshot = NOTHING_YET if run.first else await graph.aget_state(_config(run))
        todo = await plan(self.database, run, workflow, Standing(snapshot, saver.stands_at, _config(run)))
        if todo.next is Next.GO:
            options = run.options
            await Relay(run, journal.note).carry(
                graph,
                todo.input,
                _traced(todo.config or _config(run), run, journal, workflow),
                context=self._context(run, journal, workflow),
                interrupt_before=_stages(options.interrupt_before),
                interrupt_after=_stages(options.interrupt_after),
                durability=options.durability,
                control=self.control,
            )
            snapshot = await graph.aget_state(_config(run))
        await self._settle(run, journal, snapshot)

    async def _settle(self, run: Run, journal: Journal, snapshot: StateSnapshot) -> None:
        """Park at what waits, or finish with the outcome that the workflow declared."""
        if snapshot.tasks:  # at interrupts, or stopped before or after a stage as the caller asked
            stands_at = tuple(task.name for task in snapshot.tasks)
            await self._finish(replace(run, stands_at=stands_at), journal, _Ending("interrupted", None, left=snapshot))
        else:
            outcome = cast(Outcome, snapshot.values.get("outcome") or "completed")
            await self._finish(run, journal, _Ending("success", outcome, left=snapshot))

    async def _finish(self, run: Run, journal: Journal, ending: "_Ending") -> None:
        """End the run in the transaction that writes the last that it did."""
        asked, by = ending.asked, ending.asked.by if ending.asked else ""
        data: JsonObject = {"status": ending.status, "outcome": ending.outcome, "error": ending.error}
        async with journal.transaction(locks=partial(runs.hold_thread, run=run)) as conn:
            ended = await runs.finish(conn, run, self.dispatcher, ending.status, ending.outcome, ending.error)
            if asked or ending.error or run.workflow not in self.catalog or self.catalog[run.workflow].writes:
                await abandon(conn, run)
            if asked:
                data["action"] = asked.action
                await after_cancel(conn, run, asked)
            await audit.append(conn, run.subject(by), ending.event, data)
            if doubts := _doubts(ending.left):
                await go_on_if_known(conn, run, doubts, self.dispatcher)
        self.notices.tell(ended, ending.left)
        RUNS_ENDED.labels(run.workflow, ending.status, ending.outcome or "").inc()
        _LOG.info("run ended", extra={"facts": {"status": ending.status, "outcome": ending.outcome}})

    async def _fail(self, run: Run, journal: Journal, error: Exception) -> None:
        _LOG.exception("run %s failed", run.id)
        known = isinstance(error, GatehouseError)
        problem: JsonObject = {
            "error": error.code if isinstance(error, GatehouseError) else "workflow_failed",
            # The text of an unknown exception may carry anything: it stays in the server's log.
            "message": str(error) if known else f"The workflow raised {type(error).__name__}; see the worker's log.",
        }
        try:
            await journal.flush()
        except (psycopg.DataError, DigestMismatch, NotFound):
            journal.discard()  # what cannot be written is what failed; the run ends where it last stood
        # One that was going round in circles broke nothing: a person takes it up, with what it tried.
        handed_off = isinstance(error, LoopDetected | RepeatedFailure)
        await self._finish(run, journal, _Ending("error", "handed_off" if handed_off else "failed_safe", problem))

    def _saver(self, run: Run, journal: Journal, workflow: Workflow) -> FencedSaver:
        trail = audit.Trail(audit.stream_of(run.thread_id), journal.note)

        def on_stages(stages: list[str]) -> None:
            for stage in stages:
                kind = workflow.stages[stage].kind if stage in workflow.stages else "code"
                trail.add(run.subject(), Event.STAGE_FINISHED, {"stage": stage, "kind": kind})

        def on_interrupts(interrupts: Sequence[Interrupt]) -> None:
            async def note(conn: Connection) -> None:
                for interrupt in interrupts:
                    if interrupt.value["kind"] == "approval":
                        await ask(conn, run, interrupt.id, interrupt.value, self.catalog.queue_of(run.workflow).terms)
                    elif interrupt.value["kind"] == "unknown_effect":
                        await park(conn, run, interrupt.id, interrupt.value)
                    else:
                        await ask_question(conn, run, interrupt.id, interrupt.value)

            journal.note(note)

        serde = SealedSerializer(self.seal_key, tenant=run.tenant, thread_id=run.thread_id)
        return FencedSaver(self.database, serde, Holder(journal.hold, on_stages, on_interrupts), fresh=run.first)

    def _context(self, run: Run, journal: Journal, workflow: Workflow) -> Context:
        return Context(
            case=case_of(run, self.opened_on),
            tools=self.tools(run, journal, workflow),
            models=self.asks(run, journal, workflow),
            gates=self.gates(run, journal, workflow),
        )


@dataclass(frozen=True)
class _Ending:
    """How a run ends, or parks: without an outcome."""

    status: RunStatus
    outcome: Outcome | None
    error: JsonObject | None = None
    asked: Cancellation | None = None
    left: StateSnapshot | None = None

    @property
    def event(self) -> Event:
        if self.asked:
            return Event.RUN_CANCELLED
        return Event.RUN_FAILED if self.error else Event.RUN_PARKED if self.outcome is None else Event.RUN_FINISHED


@contextmanager
def _left_to_others(run_id: str) -> Iterator[None]:
    """What a worker may lose at any moment: then its lease runs out, and another goes on."""
    try:
        yield
    except LeaseLost:
        LEASES_LOST.inc()
        _LOG.warning("run %s was taken over by another worker", run_id)
    except (psycopg.OperationalError, StoreUnavailable):
        _LOG.exception("the database went away while run %s was carried", run_id)


def _doubts(left: StateSnapshot | None) -> list[str]:
    """Interrupts at which a person is to find out what became of an effect."""
    waiting = pending_interrupts(left).values() if left else ()
    return [interrupt.id for interrupt in waiting if interrupt.value["kind"] == "unknown_effect"]


def _config(run: Run) -> RunnableConfig:
    asked = run.options.config
    ids: JsonObject = {"run_id": run.id, "thread_id": run.thread_id, "workflow": run.workflow, "version": run.version}
    return {
        "configurable": {
            **cast(JsonObject, asked.get("configurable", {})),
            "thread_id": run.thread_id,
            "__pregel_strict_resume": True,
        },
        "metadata": ids,
        "tags": cast("list[str]", asked.get("tags", [])),
        "recursion_limit": min(cast(int, asked.get("recursion_limit", _MAX_STEPS)), _MAX_STEPS),
    }


def _traced(config: RunnableConfig, run: Run, journal: Journal, workflow: Workflow) -> RunnableConfig:
    pages = Pages(_traced_of(run, workflow), journal.note)
    return {**config, "callbacks": [Follower(pages, forks_of(workflow.graph))]}


def _traced_of(run: Run, workflow: Workflow) -> Traced:
    return Traced(run.tenant, run.thread_id, run.case_id, run.id, run.workflow, workflow.risk)


def _stages(named: tuple[str, ...]) -> All | list[str]:
    """As LangGraph wants them: `*` alone, or a list."""
    return "*" if "*" in named else list(named)
