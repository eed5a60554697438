"""Asks one question of one route after the other until one answers: the only layer that tries anything again."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import openai
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message

from contracts.approval import JsonObject
from contracts.errors import CircuitOpen, ModelError, ModelUnavailable, RecordingMissing
from engine.catalog.prompt import Prompt
from engine.models.accounts import Accounts, Attempt
from engine.models.deadline import Deadline
from engine.models.failures import BAD_BODY, failure_of, require_whole, unreadable, wait_of
from engine.models.route import Route
from engine.models.spending import Spending, Wanted
from engine.traces.metrics import MODEL_CALLS, MODEL_SECONDS, counted

_TRIES = 3
PAUSE_S = 0.2
"""Doubled before each further attempt."""
PATIENCE_S = 5.0
"""A route that wants to be left alone for longer than this is left for the next one."""


@dataclass(frozen=True)
class Speaker:
    """Who may answer: a route, or recordings, which have none."""

    name: str
    route: Route | None
    open: Callable[[], BaseChatModel]
    """Raises `ModelUnavailable` for a route whose key cannot be read."""


@dataclass(frozen=True)
class Question:
    """What is asked of whoever answers."""

    prompt: Prompt
    shape: JsonObject
    deadline: Deadline
    noted: JsonObject
    """What every record of it says besides: of which experiment the run is in which half."""


@dataclass(frozen=True)
class Heard:
    """A whole reply, what it took, and who gave it."""

    message: AIMessage
    call: Spending
    speaker: Speaker
    more: JsonObject


class Attempts:
    """All attempts at one question. Whoever has answered once is asked first from then on."""

    def __init__(self, accounts: Accounts, question: Question, speakers: Sequence[Speaker]) -> None:
        self._accounts = accounts
        self._question = question
        self._left = list(speakers)
        self._passed: list[str] = []

    async def reply(self, messages: list[BaseMessage]) -> Heard:
        """A whole reply of the first route that gives one within the deadline.

        The next route is asked only where this one may be well again later: a refused key or request is never hidden
        behind another route. Raises the last route's `ModelError` or `CircuitOpen`, and what `Accounts.begin` raises.
        """
        while True:
            speaker = self._left[0]
            model = speaker.open()
            try:
                return await self._ask(speaker, model, messages)
            except (ModelError, CircuitOpen) as error:
                if not error.retryable or len(self._left) == 1 or self._question.deadline.over:
                    raise
                self._passed.append(f"{speaker.name}: {error.code}")
                self._left.pop(0)

    async def _ask(self, speaker: Speaker, model: BaseChatModel, messages: list[BaseMessage]) -> Heard:
        """What may pass is tried again, at most three times."""
        prompt, deadline = self._question.prompt, self._question.deadline
        wanted = Wanted(prompt, speaker.route, sum(len(str(message.content)) for message in messages))
        for attempt in range(1, _TRIES + 1):
            call = await self._accounts.begin(wanted, deadline)
            try:
                with counted(MODEL_CALLS, MODEL_SECONDS, prompt.alias, speaker.name):
                    message, first = await self._once(speaker, model, messages)
            except RecordingMissing:
                await self._accounts.release(call)
                raise
            except ModelError as error:
                failure = error
            else:
                return Heard(message, call.ended(message), speaker, self._more(attempt, speaker) | first)
            # A recording does not get better by waiting.
            pause_s = max(PAUSE_S * 2**attempt, wait_of(failure)) if speaker.route else 0.0
            elsewhere = pause_s > PATIENCE_S and len(self._left) > 1
            last = not failure.retryable or attempt == _TRIES or deadline.left_s <= pause_s or elsewhere
            ended = call.failed(failure, last=last)
            said = Attempt(prompt, speaker.name, "live", "", failure.detail, ended, self._more(attempt, speaker))
            await self._accounts.record(said)
            if last:
                raise failure
            await asyncio.sleep(pause_s)
        raise AssertionError("unreachable")

    async def _once(
        self, speaker: Speaker, model: BaseChatModel, messages: list[BaseMessage]
    ) -> tuple[AIMessage, JsonObject]:
        """The reply, and when it began where that can be known."""
        route, left_s, shape = speaker.route, self._question.deadline.left_s, self._question.shape
        if route is None:
            return await whole_reply(model, speaker.name, messages, shape), {}
        within_s = min(route.timeout_s, left_s)
        try:
            async with asyncio.timeout(within_s), self._accounts.sources.slots.held(self._question.prompt.alias, route):
                if not route.stream:
                    return await whole_reply(model, speaker.name, messages, shape), {}
                first = FirstToken()
                reply = await whole_reply(model, speaker.name, messages, shape, first)
                return reply, {"first_token_ms": first.ms}
        except TimeoutError as error:
            raise ModelUnavailable(f"Model {speaker.name!r} did not answer within {within_s:.1f} s.") from error

    def _more(self, attempt: int, speaker: Speaker) -> JsonObject:
        if speaker.route is None:
            return self._question.noted
        passed: JsonObject = {"passed_over": [*self._passed]} if self._passed else {}
        return {"attempt": attempt} | passed | self._question.noted


class FirstToken:
    """When the first piece of a reply came."""

    def __init__(self) -> None:
        self._asked_at = time.monotonic()
        self.ms: int | None = None
        """Since it was asked; None while nothing has come."""

    def seen(self, piece: AIMessageChunk) -> None:
        if self.ms is None and (piece.text or piece.tool_call_chunks):
            self.ms = round((time.monotonic() - self._asked_at) * 1000)


async def whole_reply(
    model: BaseChatModel, name: str, messages: list[BaseMessage], shape: JsonObject, first: FirstToken | None = None
) -> AIMessage:
    """One reply that has come to its end; piece by piece where somebody wants to know when the `first` one came.

    Raises `ModelError` for everything else, whatever the library raises.
    """
    try:
        reply = await (
            _joined(model, messages, shape, first) if first else model.ainvoke(messages, response_format=shape)
        )
    except openai.OpenAIError as error:
        raise failure_of(error, name) from error
    except BAD_BODY as error:
        raise unreadable(name, error) from error
    require_whole(reply, name)
    return reply


async def _joined(model: BaseChatModel, messages: list[BaseMessage], shape: JsonObject, first: FirstToken) -> AIMessage:
    whole: AIMessageChunk | None = None
    async for piece in model.astream(messages, response_format=shape):
        first.seen(piece)
        whole = piece if whole is None else whole + piece
    reply = message_chunk_to_message(whole) if whole else AIMessage("")
    if not isinstance(reply, AIMessage):
        raise TypeError("a chat model speaks as itself")
    return reply
