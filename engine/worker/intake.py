"""What comes in from outside for a thread: new input, decisions, answers. Nothing walks around an open gate."""

from dataclasses import dataclass, replace

from pydantic import JsonValue

from contracts.errors import (
    AmbiguousResume,
    BypassRefused,
    DigestMismatch,
    GatehouseError,
    GateOpen,
    InvalidRequest,
    NotCarried,
    NothingToResume,
)
from engine.access.keys import Principal
from engine.approvals.decisions import Decided, Submission, decide, require_reviewer
from engine.approvals.endings import note_refusal
from engine.approvals.model import ApprovalRequest
from engine.approvals.payloads import read_answer, read_decision
from engine.approvals.questions import Question, answer_question, questions_of_thread
from engine.approvals.requests import asked_of_thread, get_request
from engine.catalog.catalog import Catalog
from engine.catalog.versions import require_not_drained
from engine.gateway.outcomes import Effect, Resolution, get_effect, parked_effects, require_resolver, resolve
from engine.gateway.payloads import read_resolution
from engine.runs.dispatch import Dispatcher
from engine.runs.model import Cancellation, NewRun, NewThread, Run
from engine.runs.runs import create_run
from engine.runs.threads import get_thread, make_thread
from engine.store.database import Connection, Database
from engine.webhooks.targets import Targets
from engine.worker.admission import cancel_now, make_room, require_options
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
        that the thread does not have.
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
        async with self.database.transaction() as conn:
            return await self.accept_in(conn, ready, thread=thread, operator=operator)

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
        self, conn: Connection, ready: NewRun, *, thread: NewThread | None = None, operator: bool = False
    ) -> Run:
        """Accept a run that is prepared in the caller's transaction; otherwise as `accept`."""
        if ready.input is not None:
            await require_not_drained(conn, ready.version, tenant=ready.tenant)
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
        return await create_run(conn, ready, row, self.dispatcher)

    async def decide(self, request_id: str, submission: Submission, reviewer: Principal) -> Decided:
        """Decide one request; see `engine.approvals.decisions.decide` for what is refused. An attempt is on record."""
        async with self.database.reading() as conn:
            request = await get_request(conn, request_id, tenant=reviewer.tenant)
        try:
            require_reviewer(request, reviewer)
            await self._require_unchanged(request)
            async with self.database.transaction() as conn:
                judge = self.catalog[request.workflow].judge
                return await decide(conn, request, submission, reviewer, judge=judge, dispatcher=self.dispatcher)
        except GatehouseError as error:
            if error.status < 500:
                async with self.database.transaction() as conn:
                    await note_refusal(conn, request, submission.type, reviewer, error)
            raise

    async def resume(
        self, thread_id: str, value: JsonValue, principal: Principal, *, stream_modes: tuple[str, ...] = ()
    ) -> Run:
        """Take LangGraph's `command.resume`: a map by interrupt id, or a plain value where it can mean only one thing.

        Raises `NothingToResume`, `AmbiguousResume`, `InvalidDecision` and what `decide` raises.
        """
        async with self.database.reading() as conn:
            await get_thread(conn, thread_id, tenant=principal.tenant)
            asked = await _asked(conn, thread_id)
        target, answer = _target(asked, value)
        if isinstance(target, Question):
            workflow = self.catalog[target.workflow]
            text = screen_text(workflow.policy, read_answer(answer))
            await self.migrator.require_loaded(target.run_id)
            async with self.database.transaction() as conn:
                return await answer_question(conn, target, text, principal, self.dispatcher, stream_modes=stream_modes)
        if isinstance(target, Effect):
            resolution = replace(read_resolution(answer), stream_modes=stream_modes)
            _, following = await self.settle(target.call_key, resolution, principal)
            if following is None:
                raise NothingToResume(f"Thread {thread_id} no longer waits for this effect.")
            return following
        submission = replace(read_decision(answer), stream_modes=stream_modes)
        return (await self.decide(target.id, submission, principal)).run

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
        async with self.database.transaction() as conn:
            effect = await get_effect(conn, call_key, tenant=person.tenant)
            await require_resolver(conn, effect, person)
        if effect.waits:
            await self.migrator.require_loaded(effect.leg_id)
        tool = self.catalog[effect.workflow].tool(effect.tool)
        async with self.database.transaction() as conn:
            return await resolve(conn, effect, resolution, person, tool, self.dispatcher)

    async def _require_unchanged(self, request: ApprovalRequest) -> None:
        """The open request must still be what the thread's newest checkpoint waits for."""
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
            raise DigestMismatch(
                "The thread's state was changed since this request was shown; it no longer waits for it.",
                hint="Cancel the run and start the case again.",
            )


async def require_no_open_gate(conn: Connection, thread_id: str, *, command: object = None) -> None:
    """Raises `GateOpen` naming what the thread waits for; `BypassRefused` where a command would move past it."""
    for item in await _asked(conn, thread_id):
        if _waits(item):
            if command:
                raise BypassRefused(
                    "A run that waits takes neither `update` nor `goto`: they can move it past its gate.",
                    hint="Send `command.resume` alone, or cancel the run and start the case again.",
                )
            what = "a decision" if isinstance(item, ApprovalRequest) else "an answer"
            if isinstance(item, Effect):
                what = "somebody to find out what became of an effect"
            raise GateOpen(
                f"Thread {thread_id} waits for {what}; new input or another state would walk around it.",
                hint="Answer with command.resume, or cancel the run first.",
                facts={"interrupt_id": item.interrupt_id, "stage": item.stage},
            )


Asked = ApprovalRequest | Question | Effect


async def _asked(conn: Connection, thread_id: str) -> list[Asked]:
    parked = await parked_effects(conn, thread_id)
    return [*await asked_of_thread(conn, thread_id), *await questions_of_thread(conn, thread_id), *parked]


def _waits(item: Asked) -> bool:
    return item.waits if isinstance(item, Effect) else item.status in ("pending", "open")


def _target(asked: list[Asked], value: JsonValue) -> tuple[Asked, JsonValue]:
    """What a resume answers. A plain value names nothing, so it counts only where nothing else was ever asked."""
    by_id = {item.interrupt_id: item for item in asked if item.interrupt_id}
    if isinstance(value, dict) and value and all(_is_interrupt_id(key) for key in value):
        if len(value) > 1:
            raise AmbiguousResume("Answer one interrupt at a time.")
        interrupt_id, answer = next(iter(value.items()))
        if interrupt_id not in by_id:
            raise NothingToResume(f"The thread has no interrupt {interrupt_id}.")
        return by_id[interrupt_id], answer
    if not asked:
        raise NothingToResume("The thread waits for nothing.", hint="Look at GET /threads/{id}/state.")
    if len(asked) > 1:
        raise AmbiguousResume(
            "The thread has asked more than once, and the answer does not say which request it is for.",
            hint='Send {"resume": {"<interrupt id>": …}} with the id of the interrupt that you were shown.',
            facts={"interrupts": [{"id": i.interrupt_id, "waits": _waits(i)} for i in asked]},
        )
    return asked[0], value


def _is_interrupt_id(key: str) -> bool:
    return len(key) == 32 and all(c in "0123456789abcdef" for c in key)
