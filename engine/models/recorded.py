"""A chat model that answers from recordings."""

import re
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, JsonValue

from contracts.errors import ModelUnavailable
from engine.models.recording import Recordings, key_of


class RecordedChatModel(BaseChatModel):
    """Replays one prompt's recordings for one case; a miss raises `RecordingMissing`.

    Part of the key: system text, other messages, schema, parameters. Not part of it: message ids, metadata, base_url.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    recordings: Recordings = Field(exclude=True)
    stage: str
    case: str
    params: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        key, spoken = call_key(messages, kwargs.get("response_format"), self.params)
        recording = self.recordings.take(self.case, self.stage, key, spoken)
        if recording.fault == "unavailable":
            raise ModelUnavailable(f"The recording says that {recording.model!r} did not answer.")
        finish = {"": "stop", "refused": "content_filter", "length": "length"}[recording.fault]
        metadata = {"finish_reason": finish, "model_name": recording.model, "source": recording.source}
        message = AIMessage(content=recording.content, response_metadata=metadata)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        # Nothing here waits; the default would spend a thread on it.
        return self._generate(messages, stop, None, **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        """The reply word by word, for whoever follows the run's messages."""
        message = self._generate(messages, stop, None, **kwargs).generations[0].message
        for piece in re.findall(r"\s*\S+|\s+$", str(message.text)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        last = AIMessageChunk(content="", response_metadata=message.response_metadata, chunk_position="last")
        yield ChatGenerationChunk(message=last)


def call_key(messages: list[BaseMessage], schema: JsonValue, params: dict[str, JsonValue]) -> tuple[str, list[str]]:
    """The recording key of a call, and its messages after the system text."""
    system = [str(m.text) for m in messages if m.type == "system"]
    spoken = [f"{m.type}: {m.text}" for m in messages if m.type != "system"]
    parts: dict[str, JsonValue] = {
        "system": [*system],
        "messages": [*spoken],
        "schema": schema,
        "params": params,
    }
    return key_of(parts), spoken
