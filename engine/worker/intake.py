"""What comes in from outside for a thread that is no answer: new input, commands. Nothing walks around an open gate."""

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.errors import (
    InvalidRequest,
    NotCarried,
    QueueFull,
)
from engine.catalog.catalog import Catalog
from engine.catalog.versions import require_not_stopped
from engine.queues.room import require_room
from engine.queues.throttles import note_refused
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Cancellation, NewRun, NewThread, Run
from engine.runs.runs import create_run
from engine.runs.threads import get_thread, make_thread
from engine.store.database import Connection, Database
from engine.webhooks.targets import Targets
from engine.worker.admission import cancel_now, make_room, require_options
from engine.worker.asked import require_no_open_gate
from engine.worker.migration import Migrator
from engine.worker.screening import screen
from engine.worker.state import StateReader


@dataclass(frozen=True)
class Intake:
    """The only way in for input; for answers it is `engine.worker.answers`."""

    database: Database
    catalog: Catalog
    dispatcher: Dispatcher
    states: StateReader
    migrator: Migrator
    targets: Targets

    async def accept(self, new: NewRun, *, thread: NewThread | None = None, operator: bool = False) -> Run:
        """Accept a run with new input, or one that goes on from where its thread stands.

        `thread` is made first if it does not exist; an `operator` may interrupt runs of others. Raises `GateOpen` while
        the thread waits for somebody, `BypassRefused`, `InvalidRequest`, `ThreadBusy`, `Forbidden`, `WebhookRefused`,
        `VersionChanged` for one that would go on with what stands under another version, `NotFound` for a checkpoint
        that the thread does not have, `QueueFull` where its reviewers have no room.
        """
        ready = self.prepared(new)
        if ready.input is None:
            await self.migrator.require_loaded_where_it_stands(ready.thread_id)
        if ready.options.checkpoint_id:
            async with self.database.reading() as conn:
                row = await get_thread(conn, ready.thread_id, tenant=ready.tenant)
            await self.states.at(row, ready.options.checkpoint_id)
        if ready.webhook:
            await self.targets.require_allowed(ready.webhook)
        try:
            async with self.database.transaction() as conn:
                return await self.accept_in(conn, ready, thread=thread, operator=operator)
        except QueueFull as full:
            async with self.database.transaction() as conn:
                await note_refused(conn, self.catalog.queue_of(ready.workflow), full, tenant=ready.tenant)
            raise

    def prepared(self, new: NewRun) -> NewRun:
        """The run with its version, and its input as the workflow's guards leave it.

        Raises `InvalidRequest`, `BypassRefused`, `NotSupported`.
        """
        workflow = self.catalog[new.workflow]
        require_options(workflow, new)
        if new.input is not None:
            workflow.require_input(new.input)
            new = replace(new, input=screen(workflow.policy, new.input))
        return replace(new, version=workflow.version)

    async def accept_in(
        self,
        conn: Connection,
        ready: NewRun,
        *,
        thread: NewThread | None = None,
        operator: bool = False,
        now: datetime | None = None,
    ) -> Run:
        """Accept a run that is prepared in the caller's transaction; otherwise as `accept`."""
        queue = self.catalog.queue_of(ready.workflow)
        if ready.input is not None:
            workflow = self.catalog[ready.workflow]
            await require_not_stopped(conn, workflow, tenant=ready.tenant, queue=queue.name)
        options, row = ready.options, None
        if thread:
            row = await make_thread(conn, thread)
        if row is None:  # one that was there may wait, or be at work
            row = await get_thread(conn, ready.thread_id, tenant=ready.tenant, lock=True)
            if row["carried_by"]:
                raise NotCarried(f"The runs of thread {ready.thread_id} are carried by {row['carried_by']!r}.")
            if row["workflow"]:  # its first run binds it, before anything can be asked on it
                await require_no_open_gate(conn, ready.thread_id, command=options.update is not None or options.goto)
                await make_room(conn, ready, self.dispatcher, operator=operator)
        if ready.input is None and row["workflow"] is None and not options.edits:
            raise InvalidRequest("A new run needs an input.", hint="The thread has had no run to go on with.")
        if not options.edits:  # one that edits never asks reviewers: it does not act
            await require_room(conn, queue, tenant=ready.tenant, now=now)
        return await create_run(conn, ready, row, self.dispatcher)

    async def cancel(self, run: Run, asked: Cancellation) -> None:
        """Cancel a run; one that waits at a gate ends at once and its requests are closed.

        Raises `ThreadBusy` for a run that has ended, `CannotRollBack` for one that acted.
        """
        async with self.database.transaction() as conn:
            await cancel_now(conn, run, self.dispatcher, asked)
