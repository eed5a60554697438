"""What people say to what waits: decisions, one or many, answers to questions, outcomes that they found out, undo."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import (
    DigestMismatch,
    GatehouseError,
    NotFound,
    NothingToResume,
)
from engine.access.keys import Principal
from engine.approvals.batches import Batch, batch_of
from engine.approvals.canaries import Canary, decide_canary, shown_request
from engine.approvals.decisions import Decided, Submission, decide, require_reviewer
from engine.approvals.endings import note_refusal
from engine.approvals.model import ApprovalRequest, Judged
from engine.approvals.payloads import read_answer, read_decision
from engine.approvals.questions import Question, answer_question
from engine.approvals.requests import get_request
from engine.catalog.catalog import Catalog
from engine.gateway.facts import host_facts
from engine.gateway.outcomes import Effect, Resolution, get_effect, require_resolver, resolve
from engine.gateway.payloads import read_resolution
from engine.gateway.undoing import Undo, undo
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Run
from engine.runs.runs import NextLeg, get_run
from engine.runs.threads import get_thread
from engine.store.database import Connection, Database
from engine.traces.metrics import REVIEW_SECONDS
from engine.worker.asked import Asked, answered, asked_on
from engine.worker.migration import Migrator
from engine.worker.resume import pending_interrupts
from engine.worker.screening import screen_text
from engine.worker.state import StateReader


@dataclass(frozen=True)
class Answers:
    """The only way in for answers, over HTTP as for a resume; for input it is `engine.worker.intake`."""

    database: Database
    catalog: Catalog
    dispatcher: Dispatcher
    states: StateReader
    migrator: Migrator

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
        leg = following.run or legs[-1]  # where nothing goes on, one of several approvals was given
        if leg is None:
            raise NothingToResume(f"Thread {thread_id} no longer waits for this effect.")
        return leg

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
        workflow = self.catalog[request.workflow]

        async def judge(tool: str, args: JsonObject, facts: JsonObject) -> Judged:
            run = await get_run(conn, request.run_id, tenant=request.tenant)
            args = workflow.normalise(tool, args).args
            return workflow.judge(tool, args, facts, await host_facts(conn, run, workflow, tool, args))

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
