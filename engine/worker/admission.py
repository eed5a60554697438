"""Whether a run may be what its caller asks for, and what happens to the runs that stand in its way."""

from pydantic import JsonValue

from contracts.errors import BypassRefused, CannotRollBack, Forbidden, InvalidRequest, NotSupported, ThreadBusy
from engine.approvals.endings import cancel_requests
from engine.catalog.workflow import Workflow
from engine.gateway.ledger import has_acted
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Cancellation, NewRun, Run
from engine.runs.runs import active_runs, cancel, delete_run, runs_of_case
from engine.store.checkpoints import delete_of_run
from engine.store.database import Connection

_GATED_KINDS = ("proposal", "gate", "effect")
"""Kinds of stage that nobody enters from outside."""


def require_options(workflow: Workflow, new: NewRun) -> None:
    """Raises `InvalidRequest` for a stage that the workflow lacks, `BypassRefused`, `NotSupported`."""
    options = new.options
    if new.input == {}:
        raise InvalidRequest("A new run needs an input.", hint="To go on after an interrupt, send command.resume.")
    for name in (*options.interrupt_before, *options.interrupt_after):
        if name != "*":
            require_stage(workflow, name)
    for target in options.goto:
        require_enterable(workflow, target["node"] if isinstance(target, dict) else target)
    if options.durability != "sync" and workflow.writes:
        raise NotSupported(
            f"Workflow {workflow.name!r} acts on outside systems, which needs durability 'sync'.",
            hint="Leave `durability` out.",
        )


def require_stage(workflow: Workflow, name: JsonValue) -> None:
    """Raises `InvalidRequest` unless the workflow has this stage."""
    if name not in workflow.stages:
        raise InvalidRequest(
            f"Workflow {workflow.name!r} has no stage {name!r}.", hint=f"It has: {', '.join(sorted(workflow.stages))}."
        )


def require_enterable(workflow: Workflow, name: JsonValue) -> None:
    """Raises `BypassRefused` for a stage that only the graph's own edges may lead to, or speak for."""
    require_stage(workflow, name)
    kind = workflow.stages[str(name)].kind
    if kind in _GATED_KINDS:
        raise BypassRefused(
            f"{name!r} is a stage of kind {kind!r}: nobody enters it, or writes in its name, from outside."
        )


async def make_room(conn: Connection, new: NewRun, dispatcher: Dispatcher, *, operator: bool) -> None:
    """Apply the multitask strategy to the thread's unfinished runs; expects the thread's lock.

    Raises `ThreadBusy` under `reject`, `Forbidden` when the runs in the way are another's, `CannotRollBack`.
    """
    strategy = new.multitask_strategy
    if strategy == "enqueue":
        return
    # All of them before the first is cancelled: the trail that records it is locked last.
    in_the_way = await active_runs(conn, new.thread_id, lock=True)
    if strategy == "reject" and in_the_way:
        raise ThreadBusy(f"Thread {new.thread_id} has an unfinished run.", hint="Join it, or use the strategy enqueue.")
    for run in in_the_way:
        if run.requester != new.requester and not operator:
            raise Forbidden(f"Run {run.id} is another's; only {run.requester!r} or an operator may stop it.")
        await cancel_now(conn, run, dispatcher, Cancellation(new.requester, strategy))  # type: ignore[arg-type]  # reject has returned


async def cancel_now(conn: Connection, run: Run, dispatcher: Dispatcher, asked: Cancellation) -> None:
    """Cancel a run that waits, with what it waits for, or ask its holder to.

    Raises `ThreadBusy` when it has ended, `CannotRollBack` when it acted.
    """
    if asked.action == "rollback" and await has_acted(conn, run.id):
        raise CannotRollBack(
            f"Run {run.id} has acted on an outside system; that cannot be made undone by forgetting it.",
            hint="Cancel it with the action 'interrupt', and undo what it did where that is possible.",
        )
    if await cancel(conn, run, dispatcher, asked):
        await after_cancel(conn, run, asked)


async def after_cancel(conn: Connection, run: Run, asked: Cancellation) -> None:
    """Close what a cancelled run waits for; after a rollback, forget it. Expects the transaction that ended it."""
    await cancel_requests(conn, run.subject(asked.by), await runs_of_case(conn, run))
    if asked.action == "rollback" and not await has_acted(conn, run.id):
        await delete_of_run(conn, run.thread_id, run.id)
        await delete_run(conn, run, by=asked.by)
