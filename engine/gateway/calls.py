"""The tools of one run: each call is judged, entered in the ledger, sent with a deadline, validated and recorded."""

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Literal

from contracts.approval import JsonObject
from contracts.errors import (
    GatehouseError,
    HeldUp,
    PreconditionsChanged,
    ToolError,
    ToolOutcomeUnknown,
    ToolQuarantined,
    ToolRefused,
)
from contracts.event import Event
from contracts.records import NO_RECORDS
from contracts.tool import AnyTool, Reply, Request, Tool, ToolModel
from engine.approvals.requests import action_of, frozen_under, supersede
from engine.audit import audit
from engine.catalog.workflow import Workflow
from engine.gateway import ledger
from engine.gateway.announcing import announced
from engine.gateway.controls import CONTROLS, Asked, Control
from engine.gateway.drift import require_unchanged
from engine.gateway.guarding import remember_parties
from engine.gateway.ledger import Ending, Entry, Intent, Step
from engine.gateway.place import Place, here
from engine.gateway.records import FoundRecords
from engine.gateway.sending import Sending, as_json, look_up, send
from engine.gateway.systems import Systems
from engine.gateway.transacting import act
from engine.limits.alarms import AlarmTerms, raise_alarm
from engine.limits.turns import in_turn
from engine.runs.model import Run
from engine.store.database import Connection, Database
from engine.store.journal import Journal

_MOST_ATTEMPTS = 3
"""How often a call that no look-up finds is sent before a person has to find out."""


@dataclass(frozen=True)
class _Call(Generic[Request, Reply]):
    """What a stage asked for."""

    tool: Tool[Request, Reply]
    request: Request
    asked: Asked

    @property
    def intent(self) -> Intent:
        return self.asked.intent


@dataclass(frozen=True)
class Gateway:
    """What the calls of all runs of one worker share."""

    database: Database
    systems: Systems
    send_within_s: float
    """How long after its ledger row a write may still be sent; at most half the lease."""
    controls: tuple[Control, ...] = CONTROLS


class RunTools:
    """`contracts.context.Tools` for one claimed run."""

    def __init__(self, gateway: Gateway, journal: Journal, workflow: Workflow, run: Run) -> None:
        self._gateway = gateway
        self._journal = journal
        self._workflow = workflow
        self._run = run
        self._ordinals: Counter[str] = Counter()
        self._ends_at = time.monotonic() + workflow.policy.budget.seconds

    async def call(self, tool: Tool[Request, Reply], request: Request, *, request_id: str = "") -> Reply:
        place = here()
        try:
            intent = self._intent(tool, request, request_id, place)
            self._require_allowed(intent)
            call = _Call(tool, request, self._asked(await self._as_frozen(intent)))
            await self._require_unchanged(call)
            entry, send_by = await in_turn(partial(self._begin, call), ends_at=self._ends_at)
        except GatehouseError as error:
            await self._record_refusal(tool, place, error)
            raise
        async with announced(tool.name, intent.call_key):
            return await self._go_on(call, entry, send_by)

    def _intent(self, tool: AnyTool, request: ToolModel, request_id: str, place: Place) -> Intent:
        args = request.model_dump(mode="json")
        if not tool.writes:
            key = f"{self._run.id}:{place.task_id}:{self._ordinals[place.task_id]}"
            self._ordinals[place.task_id] += 1
            return Intent(key, place.stage, tool, args)
        call = self._workflow.normalise(tool.name, args)
        digest = action_of(self._run, call).digest()
        return Intent(f"approval:{request_id}", place.stage, tool, call.args, request_id or None, digest)

    def _require_allowed(self, intent: Intent) -> None:
        for control in self._gateway.controls:
            control.before(self._asked(intent))

    def _asked(self, intent: Intent) -> Asked:
        return Asked(self._run, self._workflow, intent, self._ends_at)

    async def _as_frozen(self, intent: Intent) -> Intent:
        """What was approved before the case was moved to this version was approved under the one before."""
        if not self._run.earlier_versions or intent.approval_id is None:
            return intent
        async with self._gateway.database.transaction() as conn:
            version = await frozen_under(conn, self._run, intent.approval_id)
        call = self._workflow.normalise(intent.tool.name, intent.args)
        return replace(intent, action_digest=action_of(self._run, call, version=version).digest())

    async def _require_unchanged(self, call: _Call[Request, Reply]) -> None:
        """An approval counts while what it was given upon holds; one whose call has begun is not looked at again."""
        tool, intent = call.tool, call.intent
        if tool.reread is None or intent.approval_id is None:
            return
        async with self._gateway.database.reading() as conn:
            if await ledger.has_begun(conn, intent):
                return
        try:
            await require_unchanged(tool, call.request, self._asking(intent), self._gateway.systems)
        except PreconditionsChanged as error:
            async with self._journal.transaction() as conn:
                await supersede(conn, self._run, intent.approval_id, error)
            raise

    def _asking(self, intent: Intent) -> Sending:
        """A question about a call, which changes nothing and has all the time."""
        return Sending(intent.idempotency_key, math.inf, behalf=intent.on_behalf(self._run))

    async def _begin(self, call: _Call[Request, Reply]) -> tuple[Entry, float]:
        """The entry, and until when a write may be sent, in monotonic seconds."""
        send_by = time.monotonic() + self._gateway.send_within_s
        async with self._journal.transaction() as conn:
            entry = await ledger.begin(conn, self._run, call.intent)
            if entry.opened and call.tool.writes:
                await remember_parties(conn, self._run, call.tool, call.intent.args, call.intent.call_key)
            if entry.opened or entry.step is Step.SEND:
                await self._ask_controls(conn, call)
            if call.tool.effect == "transactional" and entry.step is Step.SEND:
                return await self._act(conn, call, entry), send_by
            return entry, send_by

    async def _ask_controls(self, conn: Connection, call: _Call[Request, Reply]) -> None:
        call.asked.seen.clear()
        for control in self._gateway.controls:
            await control.within(conn, call.asked)

    async def _act(self, conn: Connection, call: _Call[Request, Reply], entry: Entry) -> Entry:
        """The whole of a transactional call: its ledger row is never seen unfinished."""
        key = call.intent.idempotency_key
        outcome = await act(conn, call.tool, call.request, key=key, tenant=self._run.tenant)
        if isinstance(outcome, ToolError):
            ending, entered = Ending("refused", error=as_json(outcome)), Entry(Step.FAIL, error=outcome)
        else:
            result = outcome.model_dump(mode="json")
            ending, entered = Ending("done", result), Entry(Step.RETURN, result=result)
        await ledger.close(conn, self._run.subject(), call.intent.attempt(entry.attempt), ending)
        return entered

    async def _go_on(self, call: _Call[Request, Reply], entry: Entry, send_by: float) -> Reply:
        match entry.step:
            case Step.SEND:
                return await self._send(call, entry, send_by)
            case Step.LOOK_UP:
                # Whoever made the attempt may have sent it at the last moment at which it was allowed to.
                found_by_s = self._gateway.send_within_s + call.tool.timeout_s + call.tool.settles_in_s
                await asyncio.sleep(max(0, found_by_s - entry.age_s))
                return await self._find_out(call, entry)
            case Step.RETURN:
                return call.tool.reply.model_validate(entry.result)
            case Step.FAIL:
                raise entry.error or ToolRefused(f"{call.tool.name!r} failed before.")
            case Step.GIVE_UP:
                raise ToolOutcomeUnknown(
                    f"{call.tool.name!r} was started before and nobody knows whether it took effect.",
                    hint="A person finds out in the outside system; it is not tried again.",
                )

    async def _send(self, call: _Call[Request, Reply], entry: Entry, send_by: float) -> Reply:
        tool = call.tool
        records = NO_RECORDS if tool.writes else FoundRecords(self._gateway.database, self._run.tenant, tool.system)
        behalf = call.intent.on_behalf(self._run)
        sending = Sending(call.intent.idempotency_key, send_by, doubtful=entry.doubtful, records=records, behalf=behalf)
        try:
            reply = await send(tool, call.request, sending, self._gateway.systems)
        except ToolOutcomeUnknown as error:
            if tool.look_up is None:
                await self._close(call, entry, _failed("unknown", error, sending))
                raise
            await asyncio.sleep(tool.settles_in_s)
            return await self._find_out(call, entry)
        except HeldUp as error:
            if entry.attempt == _MOST_ATTEMPTS:
                await self._close(call, entry, _failed("refused", error, sending))
                raise
            send_by = time.monotonic() + self._gateway.send_within_s
            return await self._go_on(call, await self._begin_anew(call, entry), send_by)
        except ToolError as error:
            await self._close(call, entry, _failed("refused", error, sending))
            raise
        done = Ending("done", reply.model_dump(mode="json"), failed_tries=tuple(sending.failed_tries))
        await self._close(call, entry, done)
        return reply

    async def _find_out(self, call: _Call[Request, Reply], entry: Entry) -> Reply:
        """Ask the system what became of an attempt; one that it did not take is sent again."""
        try:
            reply = await look_up(call.tool, call.request, self._asking(call.intent), self._gateway.systems)
        except ToolRefused as error:
            await self._close(call, entry, Ending("refused", error=as_json(error)))
            raise
        except ToolError as error:
            await self._close(call, entry, Ending("unknown", error=as_json(error)))
            raise ToolOutcomeUnknown(f"Nobody knows what became of {call.tool.name!r}: {error.detail}") from error
        if reply is not None:
            await self._close(call, entry, Ending("done", reply.model_dump(mode="json")))
            return reply
        send_by = time.monotonic() + self._gateway.send_within_s
        return await self._go_on(call, await self._begin_anew(call, entry), send_by)

    async def _begin_anew(self, call: _Call[Request, Reply], entry: Entry) -> Entry:
        async with self._journal.transaction() as conn:
            if entry.attempt < _MOST_ATTEMPTS:
                anew = await ledger.begin_anew(conn, self._run, call.intent, entry.attempt)
                if anew.step is Step.SEND:
                    await self._ask_controls(conn, call)
                return anew
            lost: JsonObject = {"detail": f"sent {entry.attempt} times, and the system has never heard of it"}
            attempt = call.intent.attempt(entry.attempt)
            await ledger.close(conn, self._run.subject(), attempt, Ending("unknown", error=lost))
            return Entry(Step.GIVE_UP, entry.attempt)

    async def _close(self, call: _Call[Request, Reply], entry: Entry, ending: Ending) -> None:
        async with self._gateway.database.transaction() as conn:
            if await ledger.close(conn, self._run.subject(), call.intent.attempt(entry.attempt), ending):
                for control in self._gateway.controls:
                    await control.after(conn, call.asked, ending)
                if ending.error and ending.error.get("code") == ToolQuarantined.code:
                    said: JsonObject = {"tool": call.tool.name, "detail": ending.error["detail"]}
                    workflow, tenant = self._run.workflow, self._run.tenant
                    await raise_alarm(conn, "quarantine", workflow, said, AlarmTerms(), tenant=tenant)

    async def _record_refusal(self, tool: AnyTool, place: Place, error: GatehouseError) -> None:
        data: JsonObject = {"stage": place.stage, "tool": tool.name, **as_json(error)}
        async with self._gateway.database.transaction() as conn:
            await audit.append(conn, self._run.subject(), Event.CALL_REFUSED, data)
            for control in self._gateway.controls:
                await control.refused(conn, self._run)


def _failed(state: Literal["unknown", "refused"], error: ToolError, sending: Sending) -> Ending:
    return Ending(state, error=as_json(error), failed_tries=tuple(sending.failed_tries))
