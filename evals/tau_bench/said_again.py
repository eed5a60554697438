"""Whether recorded replies are given again, word by word, to whoever holds the conversation on record once more."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, Field

from engine.models.recorded import RecordedChatModel
from engine.models.recording import Recordings
from evals.tau_bench.recorded_runs import RecordedRun

_PROMPT = "the-conversation"


@dataclass(frozen=True)
class SaidAgain:
    """The replies of one run."""

    replies: int
    same: int
    conflicts: int
    """Calls with the key of another call of the same run."""


class _Speaker(BaseChatModel):
    """Says what is on record, one reply after the other."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    replies: Iterator[AIMessage] = Field(exclude=True)

    @property
    def _llm_type(self) -> str:
        return "on-record"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=next(self.replies))])


def say_again(run: RecordedRun) -> SaidAgain:
    """Record every reply of a run with the messages that it was given to, and replay them."""
    messages = convert_to_messages([_readable(one) for one in run.messages])
    asked = [(messages[:place], one) for place, one in enumerate(messages) if isinstance(one, AIMessage)]
    made, spoken = Recordings(), _Speaker(replies=iter([reply for _, reply in asked]))
    recording = RecordedChatModel(recordings=made, stage=_PROMPT, case=run.name, mode="record", model=spoken)
    for before, _ in asked:
        recording.invoke(before)
    replaying = RecordedChatModel(recordings=made, stage=_PROMPT, case=run.name)
    same = sum(_what_is_said(replaying.invoke(before)) == _what_is_said(reply) for before, reply in asked)
    keys = {one.key for one in made.all()}
    return SaidAgain(len(asked), same, len(asked) - len(keys))


def _readable(message: dict[str, Any]) -> dict[str, Any]:
    """A reply without words has null for them on record."""
    return message | {"content": message["content"] or ""}


def _what_is_said(reply: BaseMessage) -> tuple[str, Sequence[tuple[str, str]]]:
    calls = reply.tool_calls if isinstance(reply, AIMessage) else []
    return str(reply.text), [(call["name"], json.dumps(call["args"], sort_keys=True)) for call in calls]
