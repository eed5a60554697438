"""A chat model that answers from recordings, makes them, or only passes on what a model says."""

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, JsonValue

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError, ModelUnavailable
from engine.models.calls import Redact, as_it_is, call_key
from engine.models.failures import finish_of
from engine.models.recording import Fault, Key, Recording, Recordings, parts_of

Mode = Literal["replay", "record", "live"]
_FAILURES: dict[Fault, str] = {
    "unavailable": "did not answer",
    "timeout": "did not answer in time",
    "rate_limit": "was asked too often",
    "server_error": "failed with an error of its server",
}
_REPLIES: dict[Fault, str] = {"empty": "", "malformed": "no JSON, but words", "schema_invalid": '{"unexpected": true}'}
_FINISHES: dict[Fault, str] = {"refused": "content_filter", "length": "length"}
_UNHEARD: RunnableConfig = {"callbacks": []}
"""Whoever follows the run hears this model, and not the one that it asks as well."""
_FAULT_OF = {finish: fault for fault, finish in _FINISHES.items()}


class RecordedChatModel(BaseChatModel):
    """One prompt's model for one case. `replay`: a miss raises `RecordingMissing` and never goes live.

    `record`: `model` is asked and what it says is added. `live`: `model` is asked and nothing kept.
    Part of the key: system text, other messages, tools, choice of tool, schema, parameters. Not part of it: ids,
    metadata, addresses, keys, whether it is streamed.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    recordings: Recordings = Field(exclude=True)
    stage: str
    case: str
    params: dict[str, JsonValue] = Field(default_factory=dict)
    mode: Mode = "replay"
    model: BaseChatModel | None = Field(None, exclude=True)
    redact: Redact = Field(as_it_is, exclude=True)
    """What must not be kept is taken out before anything is hashed, and of what is recorded."""

    @property
    def _llm_type(self) -> str:
        return "recorded"

    @property
    def model_name(self) -> str:
        """How traces call it; whose reply it was stands in the reply."""
        return "recorded"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools that it may call, as the provider's formats have them."""
        chosen = {"tool_choice": tool_choice} if tool_choice else {}
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **chosen, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self.mode == "replay":
            return _result(self._replayed(messages, kwargs))
        reply = self._asked().invoke(messages, _UNHEARD, stop=stop, **kwargs)
        return _result(self._kept(messages, kwargs, reply))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self.mode == "replay":  # nothing here waits; the default would spend a thread on it
            return _result(self._replayed(messages, kwargs))
        reply = await self._asked().ainvoke(messages, _UNHEARD, stop=stop, **kwargs)
        return _result(self._kept(messages, kwargs, reply))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        """The reply word by word, for whoever follows the run's messages."""
        result = await self._agenerate(messages, stop, None, **kwargs)
        message = result.generations[0].message
        for piece in re.findall(r"\s*\S+|\s+$", str(message.text)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        if isinstance(message, AIMessage):
            yield ChatGenerationChunk(message=_last(message))

    def _replayed(self, messages: list[BaseMessage], kwargs: JsonObject) -> AIMessage:
        key, spoken = self._key(messages, kwargs)
        return _message(self.recordings.take(self.case, self.stage, key, spoken))

    def _asked(self) -> BaseChatModel:
        if self.model is None:
            raise ConfigurationError(f"There is no model to ask in the mode {self.mode!r}.")
        return self.model

    def _kept(self, messages: list[BaseMessage], kwargs: JsonObject, reply: AIMessage) -> AIMessage:
        """In the mode `record` it is added without what must not be kept; the caller gets the reply itself."""
        if self.mode == "record":
            key, spoken = self._key(messages, kwargs)
            calls: list[JsonObject] = [
                {"id": f"call-{n}", "name": call["name"], "args": call["args"]}
                for n, call in enumerate(reply.tool_calls, start=1)
            ]
            name = str(reply.response_metadata.get("model_name", ""))
            fault = _FAULT_OF.get(finish_of(reply), "")
            text = self.redact(str(reply.text))
            made = Recording(self.stage, str(key), "recorded", name, text, spoken, fault, calls, parts_of(key))
            self.recordings.add(made)
        return reply

    def _key(self, messages: list[BaseMessage], kwargs: JsonObject) -> tuple[Key, list[str]]:
        return call_key(
            messages,
            kwargs.get("response_format"),
            self.params,
            tools=kwargs.get("tools"),
            tool_choice=kwargs.get("tool_choice"),
            redact=self.redact,
        )


def _message(recording: Recording) -> AIMessage:
    """What a recording says. Raises `ModelUnavailable` where it is of a failure."""
    fault = recording.fault
    if fault in _FAILURES:
        raise ModelUnavailable(f"The recording says that {recording.model!r} {_FAILURES[fault]}.")
    finish = _FINISHES.get(fault, "tool_calls" if recording.tool_calls else "stop")
    return AIMessage(
        content=_REPLIES.get(fault, recording.content),
        tool_calls=[tool_call(name=c["name"], args=c["args"], id=c["id"]) for c in recording.tool_calls],  # type: ignore[arg-type]  # JSON
        response_metadata={"finish_reason": finish, "model_name": recording.model, "source": recording.source},
    )


def _last(message: AIMessage) -> AIMessageChunk:
    """The end of a stream: everything of a reply but its text."""
    calls = [
        tool_call_chunk(name=call["name"], args=_json(call["args"]), id=call["id"], index=place)
        for place, call in enumerate(message.tool_calls)
    ]
    return AIMessageChunk(
        content="",
        additional_kwargs={name: said for name, said in message.additional_kwargs.items() if name == "refusal"},
        tool_call_chunks=calls,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _json(args: JsonObject) -> str:
    return json.dumps(args, ensure_ascii=False)
