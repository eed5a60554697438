"""Runs: accepted, claimed under a lease and an epoch, released, finished, cancelled."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from psycopg.errors import UniqueViolation
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import JsonValue

from contracts.errors import GateOpen, InvalidRequest, LeaseLost, NotFound, StoreUnavailable, ThreadBusy
from contracts.event import Event
from engine.audit import audit
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Cancellation, NewRun, Outcome, Run, RunKind, RunOptions, RunStatus, ThreadStatus
from engine.runs.threads import mark_edited, set_thread_status
from engine.store.database import Connection
from engine.store.sql import load_queries
from engine.webhooks.webhooks import EndedRun, enqueue_webhook

_SQL = load_queries(__file__)


async def create_run(conn: Connection, new: NewRun, thread: DictRow, dispatcher: Dispatcher) -> Run:
    """Accept a run on a locked thread and wake a worker, in one transaction; the caller has checked its gates.

    Raises `InvalidRequest` when the thread belongs to another workflow.
    """
    if thread["workflow"] not in (None, new.workflow):
        raise InvalidRequest(
            f"Thread {new.thread_id} belongs to the workflow {thread['workflow']!r}, not {new.workflow!r}.",
            hint="Create a new thread for another workflow.",
        )
    if new.options.edits:
        await mark_edited(conn, new.thread_id, by=new.requester, workflow=new.workflow)
        await conn.execute(_SQL["disarm_delayed"], {"thread_id": new.thread_id})
    acts = thread["edited_by"] is None and not new.options.edits
    kind: RunKind = "proceed" if new.input is None else "input"
    return await _insert(conn, new, dispatcher, kind=kind, acts=acts)


async def create_resume(
    conn: Connection, run: Run, dispatcher: Dispatcher, *, stream_modes: tuple[str, ...] = ()
) -> Run:
    """The next leg of the case that `run` belongs to; expects the transaction that stored the answer.

    It streams what `run` did unless its caller asks for something else: who follows a case follows it to its end.
    """
    new = NewRun(
        thread_id=run.thread_id,
        tenant=run.tenant,
        workflow=run.workflow,
        version=run.version,
        requester=run.requester,
        input=None,
        assistant_id=run.assistant_id,
        stream_modes=stream_modes or run.stream_modes,
        metadata=run.metadata,
        options=RunOptions(run.options.config, run.options.context, scopes=run.options.scopes),
        webhook=run.webhook,
        priority=run.priority,
    )
    return await _insert(conn, new, dispatcher, kind="resume", case_id=run.case_id, acts=run.acts)


@dataclass
class NextLeg:
    """The leg that goes on with a case, made in one transaction: one, however many answers it carries."""

    dispatcher: Dispatcher
    stream_modes: tuple[str, ...] = ()
    """What its caller wants to hear of it; nothing said: what the case has streamed before."""
    run: Run | None = None

    async def begin(self, conn: Connection, run: Run) -> Run:
        """Have it go on from `run`; expects the transaction that stored the answer."""
        if self.run is None:
            self.run = await create_resume(conn, run, self.dispatcher, stream_modes=self.stream_modes)
        return self.run


async def _insert(
    conn: Connection, new: NewRun, dispatcher: Dispatcher, *, kind: RunKind, acts: bool, case_id: str = ""
) -> Run:
    """A run that opens a case, or the next leg of the case `case_id`, whose id is that of its first run."""
    run_id = str(uuid.uuid4())
    row = {
        "id": run_id,
        "thread_id": new.thread_id,
        "case_id": case_id or run_id,
        "tenant": new.tenant,
        "workflow": new.workflow,
        "version": new.version,
        "kind": kind,
        "input": None if new.input is None else Jsonb(new.input),
        "stream_modes": list(new.stream_modes),
        "requester": new.requester,
        "actor": f"agent:{new.workflow}",
        "assistant_id": new.assistant_id,
        "metadata": Jsonb(new.metadata),
        "multitask_strategy": new.multitask_strategy,
        "options": Jsonb(new.options.stored()),
        "acts": acts,
        "webhook": new.webhook,
        "priority": new.priority,
        "start_at": datetime.now(UTC) + timedelta(seconds=new.after_s) if new.after_s else None,
    }
    run = Run.of(await _one(conn, "insert_run", row))
    await audit.append(
        conn,
        run.subject("system" if kind == "resume" else run.requester),
        Event.RUN_CREATED,
        {"kind": kind, "workflow": run.workflow, "version": run.version, "requester": run.requester},
    )
    await dispatcher.enqueue(conn, run.id, priority=run.priority, start_at=run.start_at)
    return run


async def get_run(conn: Connection, run_id: str, *, tenant: str, thread_id: str | None = None) -> Run:
    """Raises `NotFound`, also for another tenant's run or one of another thread."""
    row = await (await conn.execute(_SQL["run"], {"id": run_id, "tenant": tenant})).fetchone()
    if row is None or (thread_id is not None and str(row["thread_id"]) != thread_id):
        where = f" on thread {thread_id}" if thread_id else ""
        raise NotFound(f"There is no run {run_id}{where}.")
    return Run.of(row)


async def list_runs(
    conn: Connection, thread_id: str, *, tenant: str, status: str | None = None, limit: int = 10, offset: int = 0
) -> list[Run]:
    """A thread's runs, newest first."""
    params = {"thread_id": thread_id, "tenant": tenant, "status": status, "limit": limit, "offset": offset}
    return [Run.of(row) for row in await (await conn.execute(_SQL["runs_of_thread"], params)).fetchall()]


async def active_runs(conn: Connection, thread_id: str, *, lock: bool = False) -> list[Run]:
    """A thread's runs that are pending or running, oldest first; with `lock` held until the transaction ends."""
    query = _SQL["lock_active_runs" if lock else "active_runs"]
    return [Run.of(row) for row in await (await conn.execute(query, {"thread_id": thread_id})).fetchall()]


async def inputs_of_thread(conn: Connection, run: Run) -> list[tuple[str, dict[str, JsonValue]]]:
    """What the run's thread was given so far, oldest first, each with who gave it."""
    rows = await (await conn.execute(_SQL["inputs_of_thread"], {"thread_id": run.thread_id})).fetchall()
    return [(str(row["requester"]), dict(row["input"])) for row in rows]


async def runs_of_case(conn: Connection, run: Run) -> list[str]:
    """The ids of all runs of the case that `run` belongs to."""
    rows = await (await conn.execute(_SQL["runs_of_case"], {"case_id": run.case_id})).fetchall()
    return [str(row["id"]) for row in rows]


async def cancellable_runs(
    conn: Connection, *, tenant: str, statuses: list[str], thread_id: str | None = None, ids: list[str] | None = None
) -> list[Run]:
    """Unfinished runs, oldest first, at most a thousand."""
    params = {"tenant": tenant, "statuses": statuses, "thread_id": thread_id, "ids": ids}
    return [Run.of(row) for row in await (await conn.execute(_SQL["cancellable"], params)).fetchall()]


async def claim(conn: Connection, run_id: str, *, owner: str, lease_s: float) -> Run | None:
    """Take the run under a new epoch, or None when somebody else holds it or its thread is not ready for it.

    Raises `StoreUnavailable` in a transaction that cannot go on, because another run of the thread was taken meanwhile.
    """
    params = {"id": run_id, "owner": owner, "lease": timedelta(seconds=lease_s)}
    try:
        row = await (await conn.execute(_SQL["claim"], params)).fetchone()
    except UniqueViolation as error:  # another run of the thread, whose time has just come, was taken at this moment
        if conn.info.transaction_status is TransactionStatus.IDLE:
            return None
        raise StoreUnavailable(f"Run {run_id} cannot be taken: another run of its thread was just taken.") from error
    return Run.of(row) if row else None


async def renew(conn: Connection, run: Run, *, lease_s: float) -> Cancellation | None:
    """Hold the run longer; returns who asked to cancel it, if anybody. Raises `LeaseLost`."""
    params = {"id": run.id, "epoch": run.epoch, "lease": timedelta(seconds=lease_s)}
    row = await (await conn.execute(_SQL["renew"], params)).fetchone()
    if row is None:
        raise LeaseLost(f"Run {run.id} was taken over.")
    asked = row["cancel_requested_by"]
    return Cancellation(asked, row["cancel_action"] or "interrupt") if asked else None


async def release(conn: Connection, run: Run, dispatcher: Dispatcher) -> None:
    """Give the run back for another worker to go on with; nothing is lost."""
    if await (await conn.execute(_SQL["release"], {"id": run.id, "epoch": run.epoch})).fetchone():
        await dispatcher.enqueue(conn, run.id, priority=run.priority)


async def hold_thread(conn: Connection, run: Run) -> None:
    """Hold the run's thread until the transaction ends, against whoever brings it another run."""
    await conn.execute(_SQL["lock_thread"], {"id": run.thread_id, "tenant": run.tenant})


async def finish(
    conn: Connection,
    run: Run,
    dispatcher: Dispatcher,
    status: RunStatus,
    outcome: Outcome | None,
    error: dict[str, JsonValue] | None = None,
) -> Run:
    """End the run, free its thread for the next one and wake waiters; the run as it is then. Raises `LeaseLost`."""
    params = {
        "id": run.id,
        "thread_id": run.thread_id,
        "epoch": run.epoch,
        "status": status,
        "outcome": outcome,
        "error": Jsonb(error) if error else None,
        "stands_at": list(run.stands_at),
        "thread_status": _thread_status(status, outcome),
    }
    row = await (await conn.execute(_SQL["finish"], params)).fetchone()
    if row is None:
        raise LeaseLost(f"Run {run.id} was taken over.")
    if error and error["error"] == GateOpen.code:
        await _free_thread(conn, run.thread_id, dispatcher)  # it was turned away: the thread stands as it stood
    elif row["next_id"]:
        await dispatcher.enqueue(conn, str(row["next_id"]), priority=row["next_priority"])
    await _tell(conn, run, status, outcome)
    return replace(run, status=status, outcome=outcome, error=error, updated_at=row["updated_at"])


async def cancel(conn: Connection, run: Run, dispatcher: Dispatcher, asked: Cancellation) -> bool:
    """Cancel a run that waits, at once (True); ask the holder of a running one to stop (False).

    Raises `ThreadBusy` when the run has ended.
    """
    await hold_thread(conn, run)
    await conn.execute(_SQL["lock_run"], {"id": run.id})
    params = {"id": run.id, "by": asked.by, "action": asked.action}
    if await (await conn.execute(_SQL["request_cancel"], params)).fetchone():
        await conn.execute(_SQL["notify_cancel"], {"run_id": run.id})
        await audit.append(conn, run.subject(asked.by), Event.RUN_CANCEL_ASKED, {"action": asked.action})
        return False
    if not await (await conn.execute(_SQL["cancel_idle"], {"id": run.id})).fetchone():
        raise ThreadBusy(f"Run {run.id} has ended with status {run.status!r}; there is nothing to cancel.")
    await _free_thread(conn, run.thread_id, dispatcher)
    await audit.append(conn, run.subject(asked.by), Event.RUN_CANCELLED, {"action": asked.action})
    await conn.execute(_SQL["notify"], {"run_id": run.id})
    await _tell(conn, run, "interrupted", "cancelled")
    return True


async def delete_run(conn: Connection, run: Run, *, by: str) -> None:
    """Hide a run that has ended; its audit records and its ledger stay. Raises `ThreadBusy` while it works or waits."""
    await hold_thread(conn, run)
    if not await (await conn.execute(_SQL["delete_run"], {"id": run.id})).fetchone():
        raise ThreadBusy(f"Run {run.id} is {run.status!r}; cancel it first.")
    await conn.execute(_SQL["delete_run_events"], {"id": run.id})
    await audit.append(conn, run.subject(by), Event.RUN_DELETED, {})


async def lost_runs(conn: Connection, *, loaded: Collection[str]) -> list[str]:
    """Runs that nobody is working on although somebody with the `loaded` versions should."""
    return [str(row["id"]) for row in await (await conn.execute(_SQL["lost"], {"loaded": list(loaded)})).fetchall()]


async def count_model_call(conn: Connection, run: Run) -> int:
    """Count one more model call; returns how many the case has made over all its runs. Raises `LeaseLost`."""
    if not await (await conn.execute(_SQL["count_model_call"], {"id": run.id, "epoch": run.epoch})).fetchone():
        raise LeaseLost(f"Run {run.id} was taken over.")
    return int((await _one(conn, "case_model_calls", {"case_id": run.case_id}))["calls"])


async def _free_thread(conn: Connection, thread_id: str, dispatcher: Dispatcher) -> None:
    """Let the thread's next run begin, if there is one; another that waits for somebody waits on."""
    following = await (await conn.execute(_SQL["next_pending"], {"thread_id": thread_id})).fetchone()
    waiting = await (await conn.execute(_SQL["parked_leg"], {"thread_id": thread_id})).fetchone()
    await set_thread_status(conn, thread_id, "busy" if following else "interrupted" if waiting else "idle")
    if following:
        await dispatcher.enqueue(conn, str(following["id"]), priority=following["priority"])


async def tell_end(conn: Connection, run: Run) -> None:
    """Keep what readers of a run's stream are told last."""
    await conn.execute(_SQL["tell_end"], {"run_id": run.id})


async def _tell(conn: Connection, run: Run, status: RunStatus, outcome: Outcome | None) -> None:
    """Keep a webhook of the run's end, and what readers of its stream are told last."""
    if run.stream_modes:
        await tell_end(conn, run)
    if run.webhook:
        ended = EndedRun(
            run_id=run.id,
            thread_id=run.thread_id,
            assistant_id=run.assistant_id,
            workflow=run.workflow,
            status=status,
            outcome=outcome,
            created_at=run.created_at,
        )
        await enqueue_webhook(conn, ended, run.webhook, tenant=run.tenant)


def _thread_status(status: RunStatus, outcome: Outcome | None) -> ThreadStatus:
    if status == "interrupted":
        return "interrupted" if outcome is None else "idle"
    return "idle" if status == "success" else "error"


async def _one(conn: Connection, query: str, params: Mapping[str, object]) -> DictRow:
    row = await (await conn.execute(_SQL[query], params)).fetchone()
    if row is None:
        raise NotFound(f"Nothing was found by {query!r}.")
    return row
