"""What comes in from outside for a thread: new input, decisions, answers. Nothing walks around an open gate."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from contracts.errors import (
    DigestMismatch,
    GatehouseError,
    InvalidRequest,
    NotCarried,
    NotFound,
    NothingToResume,
    QueueFull,
)
from engine.access.keys import Principal
from engine.approvals.batches import Batch, batch_of
from engine.approvals.canaries import Canary, decide_canary, shown_request
from engine.approvals.decisions import Decided, Submission, decide, require_reviewer
from engine.approvals.endings import note_refusal
from engine.approvals.model import ApprovalRequest
from engine.approvals.payloads import read_answer, read_decision
from engine.approvals.questions import Question, answer_question
from engine.approvals.requests import get_request
from engine.catalog.catalog import Catalog
from engine.catalog.versions import require_not_stopped
from engine.gateway.outcomes import Effect, Resolution, get_effect, require_resolver, resolve
from engine.gateway.payloads import read_resolution
from engine.gateway.undoing import Undo, undo
from engine.queues.room import require_room
from engine.queues.throttles import note_refused
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Cancellation, NewRun, NewThread, Run
from engine.runs.runs import NextLeg, create_run
from engine.runs.threads import get_thread, make_thread
from engine.store.database import Connection, Database
from engine.traces.metrics import REVIEW_SECONDS
from engine.webhooks.targets import Targets
from engine.worker.admission import cancel_now, make_room, require_options
from engine.worker.asked import Asked, answered, asked_on, require_no_open_gate
from engine.worker.migration import Migrator
from engine.worker.resume import pending_interrupts
from engine.worker.screening import screen, screen_text
from engine.worker.state import StateReader


@dataclass(frozen=True)
class Intake:
    """The only way in for input and answers."""

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

    async def decide(self, request_id: str, submission: Submission, reviewer: Principal) -> Decided:
        """Decide one request; see `engine.approvals.decisions.decide` for what is refused. An attempt is on record."""
        async with self.database.reading() as conn:
            request = await get_request(conn, request_id, tenant=reviewer.tenant)
        async with self._on_record(request, submission.type, reviewer):
            await self._require_decidable(request, reviewer)
            async with self.database.transaction() as conn:
                return await self._decide(conn, request, submission, reviewer, NextLeg(self.dispatcher))

    async def decide_shown(self, request_id: str, submission: Submission, reviewer: Principal) -> Decided | Canary:
        """Decide what a reviewer was shown: a request, or a canary, which has no run. Raises as `decide` does."""
        try:
            return await self.decide(request_id, submission, reviewer)
        except NotFound:
            async with self.database.transaction() as conn:
                return await decide_canary(conn, request_id, submission, reviewer)

    async def batch(self, request_ids: Sequence[str], reader: Principal) -> Batch:
        """The requests as one batch. Raises `NotFound`, `NotOneClass`."""
        async with self.database.reading() as conn:
            requests = [await shown_request(conn, one, tenant=reader.tenant) for one in request_ids]
        return batch_of(requests, self.catalog[requests[0].workflow].tool(requests[0].tool))

    async def decide_batch(
        self, request_ids: Sequence[str], digest: str, submission: Submission, reviewer: Principal
    ) -> tuple[dict[str, Decided | Canary], dict[str, GatehouseError]]:
        """Decide each of a batch that was shown under `digest`; what was decided and what was refused, by request.

        Raises `NotOneClass`, `DigestMismatch`; then nothing is decided.
        """
        batch = await self.batch(request_ids, reviewer)
        if batch.digest != digest:
            raise DigestMismatch("The batch is not the one that was shown.", hint="Have it shown again.")
        decided: dict[str, Decided | Canary] = {}
        refused: dict[str, GatehouseError] = {}
        for request in batch.requests:
            try:
                one = replace(submission, action_digest=request.action_digest)
                decided[request.id] = await self.decide_shown(request.id, one, reviewer)
            except GatehouseError as error:
                if error.status >= 500:
                    raise
                refused[request.id] = error
        return decided, refused

    async def undo(self, request_id: str, reason: str, person: Principal) -> str:
        """Take back what a request did; see `engine.gateway.undoing.undo`. An attempt is on record."""
        async with self.database.reading() as conn:
            request = await get_request(conn, request_id, tenant=person.tenant)
        async with self._on_record(request, "undo", person), self.database.transaction() as conn:
            return await undo(conn, Undo(request, person, reason), self.catalog[request.workflow])

    async def resume(
        self, thread_id: str, value: JsonValue, principal: Principal, *, stream_modes: tuple[str, ...] = ()
    ) -> Run:
        """Take LangGraph's `command.resume`: a map by interrupt id, or a plain value where it can mean only one thing.

        Several answers are taken together or not at all, and one leg goes on with them. Raises `NothingToResume`,
        `AmbiguousResume`, `InvalidDecision` and what `decide` raises.
        """
        async with self.database.reading() as conn:
            await get_thread(conn, thread_id, tenant=principal.tenant)
            asked = await asked_on(conn, thread_id)
        answers = answered(asked, value)
        async with AsyncExitStack() as stack:
            for target in (target for target, _ in answers if isinstance(target, ApprovalRequest)):
                await stack.enter_async_context(self._on_record(target, "resume", principal))
            steps = [await self._step(target, answer, principal) for target, answer in answers]
            following = NextLeg(self.dispatcher, stream_modes)
            async with self.database.transaction() as conn:
                legs = [await step(conn, following) for step in steps]
        if legs[-1] is None:
            raise NothingToResume(f"Thread {thread_id} no longer waits for this effect.")
        return legs[-1]

    async def _step(self, target: Asked, answer: JsonValue, principal: Principal) -> "_Step":
        """What is left to do in the transaction, once everything is checked that can be outside of it."""
        match target:
            case Question():
                text = screen_text(self.catalog[target.workflow].policy, read_answer(answer))
                await self.migrator.require_loaded(target.run_id)
                return lambda conn, following: answer_question(conn, target, text, principal, following)
            case Effect():
                resolution = read_resolution(answer)
                await self._require_settleable(target.call_key, principal)

                async def take_outcome(conn: Connection, following: NextLeg) -> Run | None:
                    return (await self._settle(conn, target, resolution, principal, following))[1]

                return take_outcome
            case ApprovalRequest():
                submission = read_decision(answer)
                await self._require_decidable(target, principal)

                async def take_decision(conn: Connection, following: NextLeg) -> Run | None:
                    return (await self._decide(conn, target, submission, principal, following)).run

                return take_decision

    async def cancel(self, run: Run, asked: Cancellation) -> None:
        """Cancel a run; one that waits at a gate ends at once and its requests are closed.

        Raises `ThreadBusy` for a run that has ended, `CannotRollBack` for one that acted.
        """
        async with self.database.transaction() as conn:
            await cancel_now(conn, run, self.dispatcher, asked)

    async def settle(self, call_key: str, resolution: Resolution, person: Principal) -> tuple[Effect, Run | None]:
        """Take what a person found out about an effect; the leg of the case that goes on with it, if one waits for it.

        Raises what `engine.gateway.outcomes.resolve` does, and where the case waits what a decision of it would raise.
        """
        effect = await self._require_settleable(call_key, person)
        async with self.database.transaction() as conn:
            return await self._settle(conn, effect, resolution, person, NextLeg(self.dispatcher))

    async def _require_settleable(self, call_key: str, person: Principal) -> Effect:
        async with self.database.transaction() as conn:
            effect = await get_effect(conn, call_key, tenant=person.tenant)
            await require_resolver(conn, effect, person)
        if effect.waits:
            await self.migrator.require_loaded(effect.leg_id)
        return effect

    async def _settle(
        self, conn: Connection, effect: Effect, resolution: Resolution, person: Principal, following: NextLeg
    ) -> tuple[Effect, Run | None]:
        tool = self.catalog[effect.workflow].tool(effect.tool)
        return await resolve(conn, effect, resolution, person, tool, following)

    async def _require_decidable(self, request: ApprovalRequest, reviewer: Principal) -> None:
        """Somebody who may decides about what the thread's newest checkpoint still waits for."""
        require_reviewer(request, reviewer)
        if request.status != "pending":
            return
        async with self.database.reading() as conn:
            thread = await get_thread(conn, request.thread_id, tenant=request.tenant)
        if thread["carried_by"]:
            return  # its state is with another server, and decides nothing there either
        await self.migrator.require_loaded(request.run_id)
        snapshot = await self.states.latest(thread)
        waiting = pending_interrupts(snapshot) if snapshot else {}
        shown = waiting.get(request.interrupt_id or "")
        if shown is None or shown.value.get("action_digest") != request.action_digest:
            async with self.database.reading() as conn:
                now = await get_request(conn, request.id, tenant=request.tenant)
            if now.status != "pending":
                return  # somebody was faster, and the case has gone on with that: they are named
            raise DigestMismatch(
                "The thread's state was changed since this request was shown; it no longer waits for it.",
                hint="Cancel the run and start the case again.",
            )

    async def _decide(
        self,
        conn: Connection,
        request: ApprovalRequest,
        submission: Submission,
        reviewer: Principal,
        following: NextLeg,
    ) -> Decided:
        judge = self.catalog[request.workflow].judge
        decided = await decide(conn, request, submission, reviewer, judge=judge, following=following)
        if decided.decision and request.requested_at:  # one whose commit fails is counted, too
            waited = datetime.now(UTC) - request.requested_at
            REVIEW_SECONDS.labels(request.queue).observe(waited.total_seconds())
        return decided

    @asynccontextmanager
    async def _on_record(self, request: ApprovalRequest, what: str, who: Principal) -> AsyncIterator[None]:
        """What is refused inside was tried, and that is kept; the request is as it was."""
        try:
            yield
        except GatehouseError as error:
            if error.status < 500:
                async with self.database.transaction() as conn:
                    await note_refusal(conn, request, what, who, error)
            raise


_Step = Callable[[Connection, NextLeg], Awaitable[Run | None]]
