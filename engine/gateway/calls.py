"""The tools of one run: each call is judged, entered in the ledger, sent with a deadline, validated and recorded."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from pydantic import ValidationError

from contracts.approval import JsonObject
from contracts.errors import (
    BudgetExceeded,
    GatehouseError,
    ToolError,
    ToolNotGranted,
    ToolOutcomeUnknown,
    ToolReplyInvalid,
    ToolUnavailable,
)
from contracts.event import Event
from contracts.tool import AnyTool, Call, Reply, Request, Tool
from engine.approvals.requests import action_of
from engine.audit import audit
from engine.catalog.workflow import Workflow
from engine.gateway import ledger
from engine.gateway.ledger import Ending, Entry, Intent, Step
from engine.gateway.place import Place, here
from engine.gateway.systems import Systems
from engine.gateway.transport import HttpTransport
from engine.runs.model import Run
from engine.store.database import Database
from engine.traces.metrics import TOOL_CALLS, TOOL_SECONDS, counted

_PAUSES_S = (0.1, 0.4)
"""Pauses before the second and third try of a call that may be repeated."""


@dataclass(frozen=True)
class _Attempts:
    """A call with an open ledger row: attempt `number`, not to be sent first after `send_by` (monotonic seconds)."""

    intent: Intent
    number: int
    send_by: float
    failed_tries: list[JsonObject] = field(default_factory=list)
    """Errors of the tries that were followed by another."""


class RunTools:
    """`contracts.context.Tools` for one claimed run."""

    def __init__(
        self, database: Database, systems: Systems, workflow: Workflow, run: Run, *, send_within_s: float
    ) -> None:
        """`send_within_s`: how long after its ledger row a write may still be sent; at most half the lease."""
        self._send_within_s = send_within_s
        self._database = database
        self._systems = systems
        self._workflow = workflow
        self._run = run
        self._ordinals: Counter[str] = Counter()
        self._ends_at = time.monotonic() + workflow.policy.budget.seconds

    async def call(self, tool: Tool[Request, Reply], request: Request, *, request_id: str = "") -> Reply:
        place = here()
        try:
            self._require_granted(tool, place)
            intent = self._intent(tool, request.model_dump(mode="json"), request_id, place)
            send_by = time.monotonic() + self._send_within_s
            entry = await self._begin(intent)
        except GatehouseError as error:
            await self._record_refusal(tool, place, error)
            raise
        match entry.step:
            case Step.SEND:
                return await self._send(tool, request, _Attempts(intent, entry.attempt, send_by))
            case Step.RETURN:
                return tool.reply.model_validate(entry.result)
            case Step.GIVE_UP:
                raise ToolOutcomeUnknown(
                    f"{tool.name!r} was started before and nobody knows whether it took effect.",
                    hint="A person finds out in the outside system; it is not tried again.",
                )

    def _require_granted(self, tool: AnyTool, place: Place) -> None:
        stage = self._workflow.stages.get(place.stage)
        if stage is None or tool.name not in stage.tools:
            raise ToolNotGranted(
                f"Stage {place.stage!r} of {self._workflow.name!r} is not allowed to call {tool.name!r}.",
                hint="Name the tool where the stage is added to the graph.",
            )
        if tool.writes and stage.kind != "effect":
            raise ToolNotGranted(f"Stage {place.stage!r} is of kind {stage.kind!r}; only an effect stage may write.")
        if time.monotonic() > self._ends_at:
            raise BudgetExceeded(f"The run has worked for {self._workflow.policy.budget.seconds} s, its budget.")

    def _intent(self, tool: AnyTool, args: JsonObject, request_id: str, place: Place) -> Intent:
        if not tool.writes:
            key = f"{self._run.id}:{place.task_id}:{self._ordinals[place.task_id]}"
            self._ordinals[place.task_id] += 1
            return Intent(key, place.stage, tool, args)
        call = self._workflow.normalise(tool.name, args)
        digest = action_of(self._run, call).digest()
        return Intent(f"approval:{request_id}", place.stage, tool, call.args, request_id or None, digest)

    async def _begin(self, intent: Intent) -> Entry:
        async with self._database.transaction() as conn:
            await conn.execute("SELECT fence(%s, %s)", (self._run.id, self._run.epoch))
            entry = await ledger.begin(conn, self._run, intent)
            # Counted with this call's row: the one too many is rolled back, and one that was made before is none.
            limit = self._workflow.policy.budget.tool_calls
            if await ledger.count_calls(conn, self._run) > limit:
                raise BudgetExceeded(f"The case has made {limit} tool calls, its budget.")
            return entry

    async def _send(self, tool: Tool[Request, Reply], request: Request, attempts: _Attempts) -> Reply:
        try:
            reply = await self._try_again(tool, request, attempts)
        except ToolError as error:
            state: Literal["unknown", "refused"] = "unknown" if isinstance(error, ToolOutcomeUnknown) else "refused"
            await self._close(attempts, Ending(state, error=_as_json(error)))
            raise
        await self._close(attempts, Ending("done", result=reply.model_dump(mode="json")))
        return reply

    async def _try_again(self, tool: Tool[Request, Reply], request: Request, attempts: _Attempts) -> Reply:
        """One retry layer for all: what surely did not act, and what may be repeated under the same key.

        After a try that may have acted, no later failure says that nothing was done.
        """
        pauses = iter(_PAUSES_S)
        may_have_acted = tool.writes and attempts.number > 1
        while True:
            try:
                self._require_in_time(tool, attempts)
                with counted(TOOL_CALLS, TOOL_SECONDS, tool.name):
                    return await self._attempt(tool, request, attempts.intent.idempotency_key)
            except ToolError as error:
                may_have_acted |= isinstance(error, ToolOutcomeUnknown)
                repeatable = tool.effect == "idempotent" if isinstance(error, ToolOutcomeUnknown) else error.retryable
                pause = next(pauses, None)
                if repeatable and pause is not None:
                    attempts.failed_tries.append(_as_json(error))
                    await asyncio.sleep(pause)
                    continue
                if may_have_acted and not isinstance(error, ToolOutcomeUnknown):
                    said = f"An earlier try of {tool.name!r} may have acted; the last one failed: {error.detail}"
                    raise ToolOutcomeUnknown(said) from error
                raise

    def _require_in_time(self, tool: AnyTool, attempts: _Attempts) -> None:
        if tool.writes and time.monotonic() > attempts.send_by:
            raise ToolUnavailable(f"{tool.name!r} was not sent: this worker was held up and may be replaced by now.")

    async def _attempt(self, tool: Tool[Request, Reply], request: Request, key: str) -> Reply:
        transport = HttpTransport(self._systems.client(tool.system), tool, key)
        lost = ToolOutcomeUnknown if tool.writes else ToolUnavailable
        try:
            async with asyncio.timeout(tool.timeout_s):
                return await tool.run(request, Call(key, transport))
        except TimeoutError as error:
            raise lost(f"{tool.name!r} did not answer within {tool.timeout_s} s.") from error
        except ValidationError as error:
            if tool.writes:
                raise lost(f"{tool.name!r} answered with something that its contract does not allow.") from error
            raise ToolReplyInvalid(
                f"The reply of {tool.name!r} does not fit its contract: {error.error_count()} problems."
            ) from error

    async def _close(self, attempts: _Attempts, ending: Ending) -> None:
        ending = replace(ending, failed_tries=tuple(attempts.failed_tries))
        async with self._database.transaction() as conn:
            await ledger.close(conn, self._run, attempts.intent, attempts.number, ending)

    async def _record_refusal(self, tool: AnyTool, place: Place, error: GatehouseError) -> None:
        data: JsonObject = {"stage": place.stage, "tool": tool.name, **_as_json(error)}
        async with self._database.transaction() as conn:
            await audit.append(conn, self._run.subject(), Event.CALL_REFUSED, data)


def _as_json(error: GatehouseError) -> JsonObject:
    return cast(
        JsonObject, {"code": error.code, "category": error.category, "detail": error.detail, "hint": error.hint}
    )
