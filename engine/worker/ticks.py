"""Starts the runs of schedules that are due: one for each due time, whichever worker comes first."""

import logging
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from contracts.errors import Forbidden, GatehouseError, NotFound, QueueFull, StoreUnavailable
from engine.access.keys import Principal, principal_of
from engine.assistants.assistants import find_assistant
from engine.assistants.model import Setup, with_setup
from engine.queues.throttles import note_throttled
from engine.runs.model import NewRun, NewThread, RunOptions
from engine.schedules.model import Plan, Schedule
from engine.schedules.schedules import end_schedule, next_due, note_failure, note_run
from engine.store.database import Connection
from engine.store.scope import across_tenants, narrow, of_tenant
from engine.worker.intake import Intake

_LOG = logging.getLogger("gatehouse.worker")


@dataclass
class _Pass:
    """One look at all that is due."""

    now: datetime
    seen: set[str] = field(default_factory=set)
    full: set[tuple[str, str]] = field(default_factory=set)
    """Tenant and queue where there was no room: its other schedules need not try."""


async def fire_due(intake: Intake, *, now: datetime | None = None) -> None:
    """Start a run for every schedule that is due at `now`. A time that was missed comes once, and late.

    One whose queue has no room stays due.
    """
    this = _Pass(now or datetime.now(UTC))
    while schedule_id := await _fire_next(intake, this):
        this.seen.add(schedule_id)


async def _fire_next(intake: Intake, this: _Pass) -> str | None:
    schedule = None
    try:
        # The schedule is held until its run is committed: other workers pass over it meanwhile.
        with across_tenants("schedules whose time has come"):
            async with intake.database.transaction() as conn:
                schedule = await next_due(conn, now=this.now, without=this.seen)
                if schedule is not None:
                    await _fire(conn, intake, schedule, this)
    except StoreUnavailable:
        raise
    except QueueFull as full:  # it stays due, and its time comes when there is room
        if schedule is None:
            raise
        this.full.add((schedule.tenant, str(full.facts["queue"])))
        with of_tenant(schedule.tenant):
            async with intake.database.transaction() as conn:
                await note_throttled(conn, str(full.facts["queue"]), full, tenant=schedule.tenant)
    except GatehouseError as error:
        if schedule is None:
            raise
        _LOG.warning("nothing came of cron %s: %s", schedule.id, error.detail)
        gone = isinstance(error, (Forbidden, NotFound))  # the key or the thread: another time changes nothing
        told: dict[str, Any] = {"error": error.code, "message": error.detail}
        with of_tenant(schedule.tenant):
            async with intake.database.transaction() as conn:
                await note_failure(conn, schedule, told, now=this.now, goes_on=not gone)
    return schedule.id if schedule else None


async def _fire(conn: Connection, intake: Intake, schedule: Schedule, this: _Pass) -> None:
    plan, now = schedule.plan, this.now
    principal = await principal_of(conn, schedule.requester, tenant=schedule.tenant)
    await narrow(conn, schedule.tenant)
    if plan.end_at is not None and plan.end_at < now:
        await end_schedule(conn, schedule)
        return
    principal.require("caller")
    try:
        workflow, assistant = await find_assistant(conn, intake.catalog, plan.assistant_id, schedule.tenant)
    except NotFound:
        _LOG.warning("cron %s is left to a worker that has its workflow", schedule.id)
        return
    if (schedule.tenant, intake.catalog.queue_of(workflow.name).name) in this.full:
        return
    metadata = plan.metadata | {"cron_id": schedule.id}
    new = new_run(replace(plan, metadata=metadata), principal, workflow.name, assistant.setup)
    made = NewThread(new.thread_id, new.tenant, metadata, ephemeral=plan.on_run_completed == "delete")
    operator = "operator" in principal.roles
    ready = intake.prepared(new)
    run = await intake.accept_in(conn, ready, thread=None if plan.thread_id else made, operator=operator, now=now)
    await note_run(conn, schedule, run.id, now=now)


def new_run(plan: Plan, principal: Principal, workflow: str, setup: Setup) -> NewRun:
    """The run that a plan asks for, on its thread or on one that has yet to be made."""
    payload: dict[str, Any] = plan.payload
    modes = payload.get("stream_mode", ())
    return NewRun(
        thread_id=plan.thread_id or str(uuid.uuid4()),
        tenant=principal.tenant,
        workflow=workflow,
        requester=principal.name,
        input=payload.get("input"),
        assistant_id=plan.assistant_id,
        stream_modes=(modes,) if isinstance(modes, str) else tuple(modes),
        metadata=plan.metadata,
        multitask_strategy=payload.get("multitask_strategy", "enqueue"),
        options=with_setup(setup, RunOptions.of(payload)),
        webhook=payload.get("webhook"),
    )
