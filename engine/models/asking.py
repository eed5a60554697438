"""The models of one run: recording, stand-in or live route; the reply validated and repaired within bounds."""

import hashlib
import json
import time
from collections.abc import Sequence
from functools import cache, partial
from typing import cast

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, JsonValue, ValidationError

from contracts.approval import JsonObject
from contracts.context import ModelReply, ModelSource, Typed
from contracts.errors import ContextTooLarge, ModelReplyInvalid, NoModel, RecordingMissing, ResidencyRefused
from engine.catalog.prompt import Prompt
from engine.catalog.workflow import Workflow
from engine.credentials.redactor import KNOWN
from engine.models.accounts import Accounts, Attempt
from engine.models.attempts import Attempts, Heard, Question, Speaker
from engine.models.deadline import Deadline
from engine.models.reading import require_within, sources_of
from engine.models.recorded import RecordedChatModel
from engine.models.route import Route, chat_model
from engine.models.routing import Choice
from engine.models.shadow import Shadowed
from engine.models.sources import ModelSources
from engine.models.spending import Place
from engine.runs.model import Run
from engine.store.database import Database
from engine.store.journal import Journal

_REPAIRS = 2
_ERRORS_SHOWN = 8


class RunModels:
    """`contracts.context.Models` for one claimed run."""

    def __init__(
        self, database: Database, journal: Journal, sources: ModelSources, workflow: Workflow, run: Run
    ) -> None:
        self._accounts = Accounts(database, journal, sources, workflow, run)
        self._sources = sources
        self._workflow = workflow
        self._run = run
        self._ends_at = time.monotonic() + workflow.policy.budget.seconds

    async def ask(self, prompt: str, returns: type[Typed], **values: JsonValue) -> ModelReply[Typed]:
        asked = self._workflow.prompts[prompt]
        choice = await self._choose(asked)
        if choice.routes:
            return await self._converse(asked, choice, [self._live(asked, r) for r in choice.routes], returns, values)
        model = RecordedChatModel(
            recordings=self._sources.recordings, stage=prompt, case=self._run.thread_id, redact=KNOWN.text
        )
        try:
            return await self._converse(asked, choice, [Speaker("recorded", None, lambda: model)], returns, values)
        except RecordingMissing as missing:
            return await self._stand_in(asked, returns, values, missing)

    async def _choose(self, prompt: Prompt) -> Choice:
        """Before anything else it is seen to that the data may go there at all."""
        routing = self._sources.routing
        border = routing.border(self._run.tenant, self._workflow.policy.data_class)
        try:
            return routing.choose(prompt.alias, border, self._run.id)
        except ResidencyRefused as refused:
            await self._accounts.record(
                Attempt(prompt, "", "live", problem=refused.detail, more={"error_code": refused.code})
            )
            raise

    def _live(self, prompt: Prompt, route: Route) -> Speaker:
        return Speaker(route.label, route, partial(self._client, prompt, route))

    def _client(self, prompt: Prompt, route: Route) -> BaseChatModel:
        client = chat_model(route, self._sources.http, max_tokens=prompt.max_tokens)
        kept, case = self._sources.records_to, self._run.thread_id
        if kept is None:
            return client
        return RecordedChatModel(
            recordings=kept, stage=prompt.name, case=case, mode="record", model=client, redact=KNOWN.text
        )

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
        await self._accounts.record(Attempt(prompt, "stand-in", "stand-in", json.dumps(reply)))
        return ModelReply(returns.model_validate(reply), "stand-in", "stand-in")

    async def _converse(
        self, prompt: Prompt, choice: Choice, speakers: Sequence[Speaker], returns: type[Typed], values: JsonObject
    ) -> ModelReply[Typed]:
        """Ask, validate, and show the model its errors at most twice, all of it within one deadline."""
        given = await self._within(prompt, values)
        named: JsonObject = {"name": returns.__name__, "schema": _schema_of(returns)}
        data = json.dumps(values, indent=1, ensure_ascii=False, sort_keys=True)
        messages: list[BaseMessage] = [SystemMessage(prompt.system), HumanMessage(data)]
        deadline = Deadline(min(Deadline.after(self._sources.deadline_s).ends_at, self._ends_at))
        # By it a reply is found beside that of the second model.
        asked: JsonObject = {"asked": hashlib.sha256(data.encode()).hexdigest()[:16]} if choice.shadow else {}
        question = Question(
            prompt, {"type": "json_schema", "json_schema": named}, deadline, choice.half | given | asked
        )
        if beside := choice.shadow:
            shadowed = Shadowed(self._accounts, question, beside.route, beside.per_day, Place.here())
            self._sources.beside.start(shadowed.ask([*messages]))
        attempts = Attempts(self._accounts, question, speakers)
        for attempt in range(_REPAIRS + 1):
            heard = await attempts.reply(messages)
            said, text = heard.message.response_metadata, str(heard.message.text)
            answered_by = str(said.get("model_name") or heard.speaker.name)
            source = cast(ModelSource, said.get("source", "live"))
            try:
                value = returns.model_validate_json(text)
            except ValidationError as error:
                problems = _problems(error)
                await self._note(prompt, heard, answered_by, source, "; ".join(problems))
                if attempt == _REPAIRS or deadline.over:
                    raise ModelReplyInvalid(
                        f"Model {answered_by!r} did not give a {returns.__name__} in {attempt + 1} tries: {problems[0]}"
                    ) from error
                messages += [AIMessage(text), HumanMessage(_correction(problems))]
            else:
                await self._note(prompt, heard, answered_by, source, "")
                return ModelReply(value, answered_by, source)
        raise AssertionError("unreachable")

    async def _within(self, prompt: Prompt, values: JsonObject) -> JsonObject:
        """What the model is given to read, as its records tell of it."""
        sources = sources_of(prompt, values)
        given: JsonObject = {"context": sources, "max_context": prompt.max_context}
        try:
            require_within(prompt, sources)
        except ContextTooLarge as error:
            refused = given | {"error_code": error.code}
            await self._accounts.record(Attempt(prompt, "", "live", problem=error.detail, more=refused))
            raise
        return given

    async def _note(self, prompt: Prompt, heard: Heard, model: str, source: ModelSource, problem: str) -> None:
        await self._accounts.record(
            Attempt(prompt, model, source, str(heard.message.text), problem, heard.call, heard.more)
        )


@cache
def _schema_of(returns: type[BaseModel]) -> JsonObject:
    """Made once: for a reply that may be one of many it takes pydantic some 20 ms."""
    return returns.model_json_schema()


def _problems(error: ValidationError) -> list[str]:
    found = error.errors(include_url=False, include_input=False)
    return [f"{'.'.join(map(str, e['loc'])) or 'reply'}: {e['msg']}" for e in found[:_ERRORS_SHOWN]]


def _correction(problems: list[str]) -> str:
    listed = "\n".join(f"- {problem}" for problem in problems)
    return (
        f"That reply does not fit the schema:\n{listed}\nReply with the whole corrected JSON object and nothing else."
    )
