"""The models of one run: recording, stand-in or live route; the reply validated and repaired within bounds."""

import asyncio
import json
import time
from dataclasses import dataclass, field, replace
from functools import cache
from typing import cast

import httpx
import openai
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, JsonValue, ValidationError

from contracts.approval import JsonObject
from contracts.context import ModelReply, ModelSource, Typed
from contracts.errors import (
    BudgetExceeded,
    ModelError,
    ModelReplyInvalid,
    NoModel,
    RecordingMissing,
)
from contracts.event import Event
from engine.audit import audit
from engine.catalog.prompt import Prompt
from engine.catalog.workflow import Workflow
from engine.limits.admission import CONTROLS, admit
from engine.limits.terms import LimitTerms
from engine.limits.turns import in_turn
from engine.models.failures import failure_of, require_whole
from engine.models.recorded import RecordedChatModel
from engine.models.recording import Recordings
from engine.models.route import Route, chat_model
from engine.models.spending import Place, Spending, Wanted
from engine.runs.model import Run
from engine.runs.runs import count_model_call
from engine.store.database import Database
from engine.store.journal import Journal
from engine.traces.metrics import MODEL_CALLS, MODEL_SECONDS, counted

_REPAIRS = 2
_ERRORS_SHOWN = 8
_TRIES = 3
_PAUSE_S = 0.2
_REPLY_KEPT = 8_000


@dataclass(frozen=True)
class ModelSources:
    """What may answer: configured routes by alias (`*` for all others), recordings, and whether rules may stand in."""

    routes: dict[str, Route]
    recordings: Recordings
    stand_ins: bool
    http: httpx.AsyncClient
    limits: LimitTerms = field(default_factory=LimitTerms)
    controls: tuple[str, ...] = CONTROLS
    """Which limits count; tests leave some out."""


class RunModels:
    """`contracts.context.Models` for one claimed run."""

    def __init__(
        self, database: Database, journal: Journal, sources: ModelSources, workflow: Workflow, run: Run
    ) -> None:
        self._database = database
        self._journal = journal
        self._sources = sources
        self._workflow = workflow
        self._run = run
        self._ends_at = time.monotonic() + workflow.policy.budget.seconds

    async def ask(self, prompt: str, returns: type[Typed], **values: JsonValue) -> ModelReply[Typed]:
        asked = self._workflow.prompts[prompt]
        route = self._route(asked)
        if route is not None:
            live = chat_model(route, self._sources.http, max_tokens=asked.max_tokens)
            return await self._converse(asked, live, route.model, returns, values)
        recorded = RecordedChatModel(recordings=self._sources.recordings, stage=prompt, case=self._run.thread_id)
        try:
            return await self._converse(asked, recorded, "recorded", returns, values)
        except RecordingMissing as missing:
            return await self._stand_in(asked, returns, values, missing)

    def _route(self, prompt: Prompt) -> Route | None:
        return self._sources.routes.get(prompt.alias) or self._sources.routes.get("*")

    async def _stand_in(
        self, prompt: Prompt, returns: type[Typed], values: JsonObject, missing: RecordingMissing
    ) -> ModelReply[Typed]:
        rules = self._workflow.stand_ins.get(prompt.name)
        if not self._sources.stand_ins:
            raise missing
        if rules is None:
            raise NoModel(
                f"Nothing answers the prompt {prompt.name!r}: no model is configured, no reply recorded, no stand-in.",
                hint="Set GATEHOUSE_MODEL and GATEHOUSE_MODEL_API_KEY.",
            ) from missing
        reply = rules(values)
        await self._record(prompt, "stand-in", "stand-in", json.dumps(reply), "")
        return ModelReply(returns.model_validate(reply), "stand-in", "stand-in")

    async def _converse(
        self, prompt: Prompt, model: BaseChatModel, name: str, returns: type[Typed], values: JsonObject
    ) -> ModelReply[Typed]:
        """Ask, validate, and show the model its errors at most twice."""
        named: JsonObject = {"name": returns.__name__, "schema": _schema_of(returns)}
        shape: JsonObject = {"type": "json_schema", "json_schema": named}
        data = json.dumps(values, indent=1, ensure_ascii=False, sort_keys=True)
        messages: list[BaseMessage] = [SystemMessage(prompt.system), HumanMessage(data)]
        ends_at = time.monotonic() + self._workflow.policy.budget.seconds
        for attempt in range(_REPAIRS + 1):
            reply, call = await self._invoke(prompt, model, name, messages, shape)
            answered_by = str(reply.response_metadata.get("model_name") or name)
            source = cast(ModelSource, reply.response_metadata.get("source", "live"))
            try:
                value = returns.model_validate_json(str(reply.text))
            except ValidationError as error:
                problems = _problems(error)
                await self._record(prompt, answered_by, source, str(reply.text), "; ".join(problems), call)
                if attempt == _REPAIRS or time.monotonic() > ends_at:
                    raise ModelReplyInvalid(
                        f"Model {answered_by!r} did not give a {returns.__name__} in {attempt + 1} tries: {problems[0]}"
                    ) from error
                messages += [AIMessage(str(reply.text)), HumanMessage(_correction(problems))]
            else:
                await self._record(prompt, answered_by, source, str(reply.text), "", call)
                return ModelReply(value, answered_by, source)
        raise AssertionError("unreachable")

    async def _invoke(
        self, prompt: Prompt, model: BaseChatModel, name: str, messages: list[BaseMessage], shape: JsonObject
    ) -> tuple[AIMessage, Spending]:
        """One reply and what it took; what may pass is tried again, at most three times."""
        size = sum(len(str(message.content)) for message in messages)
        for attempt in range(1, _TRIES + 1):
            call = await self._spend(prompt, size)
            try:
                with counted(MODEL_CALLS, MODEL_SECONDS, prompt.alias, name):
                    reply = await _reply(model, name, messages, shape)
            except RecordingMissing:
                await self._release(call)
                raise
            except ModelError as error:
                failure = error
            else:
                return reply, call.ended(reply)
            last = not failure.retryable or attempt == _TRIES
            await self._record(prompt, name, "live", "", failure.detail, call.failed(failure, last=last))
            if last:
                raise failure
            await asyncio.sleep(_PAUSE_S * 2**attempt)
        raise AssertionError("unreachable")

    async def _spend(self, prompt: Prompt, size: int) -> Spending:
        """Count and reserve a call before it is made."""
        budget, wanted, place = self._workflow.policy.budget, Wanted(prompt, self._route(prompt), size), Place.here()
        rates = self._sources.limits.rates_of(self._run.tenant, self._run.workflow, budget.per_minute)

        async def begin() -> Spending:
            call = Spending.of(self._run, budget, wanted, place)
            async with self._journal.transaction() as conn:
                if await count_model_call(conn, self._run) > budget.model_calls:
                    raise BudgetExceeded(f"The case has made {budget.model_calls} model calls, its budget.")
                standing = await admit(conn, replace(call.ask, rates=rates), self._sources.controls)
            return replace(call, shaky=standing.broken is not None)

        return await in_turn(begin, ends_at=self._ends_at)

    async def _release(self, call: Spending) -> None:
        """A call that nobody was there to take."""
        if call.ask.shares:
            async with self._database.transaction() as conn:
                await call.settle(conn, self._sources.limits.breaker)

    async def _record(
        self, prompt: Prompt, model: str, source: ModelSource, reply: str, problem: str, call: Spending | None = None
    ) -> None:
        data: JsonObject = {
            "prompt": prompt.name,
            "prompt_sha256": prompt.sha256,
            "alias": prompt.alias,
            "model": model,
            "source": source,
            "reply": reply[:_REPLY_KEPT],
            "problem": problem,
        }
        async with self._database.transaction() as conn:
            await audit.append(conn, self._run.subject(), Event.MODEL_CALLED, data)
            if call:
                await call.settle(conn, self._sources.limits.breaker)


@cache
def _schema_of(returns: type[BaseModel]) -> JsonObject:
    """Made once: for a reply that may be one of many it takes pydantic some 20 ms."""
    return returns.model_json_schema()


async def _reply(model: BaseChatModel, name: str, messages: list[BaseMessage], shape: JsonObject) -> AIMessage:
    try:
        reply = await model.ainvoke(messages, response_format=shape)
    except openai.OpenAIError as error:
        raise failure_of(error, name) from error
    require_whole(reply, name)
    return reply


def _problems(error: ValidationError) -> list[str]:
    found = error.errors(include_url=False, include_input=False)
    return [f"{'.'.join(map(str, e['loc'])) or 'reply'}: {e['msg']}" for e in found[:_ERRORS_SHOWN]]


def _correction(problems: list[str]) -> str:
    listed = "\n".join(f"- {problem}" for problem in problems)
    return (
        f"That reply does not fit the schema:\n{listed}\nReply with the whole corrected JSON object and nothing else."
    )
