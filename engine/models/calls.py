"""What of a call counts for its recording: texts, tools, schema and parameters; ids and addresses do not."""

import json
from collections.abc import Callable, Sequence

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from pydantic import JsonValue

from contracts.approval import JsonObject
from engine.models.recording import Key, key_of

Redact = Callable[[str], str]


def as_it_is(text: str) -> str:
    """Nothing is taken out."""
    return text


def call_key(
    messages: Sequence[BaseMessage],
    schema: JsonValue,
    params: JsonObject,
    *,
    tools: JsonValue = None,
    tool_choice: JsonValue = None,
    redact: Redact = as_it_is,
) -> tuple[Key, list[str]]:
    """The recording key of a call, and its messages after the system text, as a recording keeps them.

    Ids of tool calls are counted from one, whatever the provider called them. `redact` comes before everything else.
    """
    system = [redact(str(m.text)) for m in messages if m.type == "system"]
    spoken = [redact(line) for line in _spoken([m for m in messages if m.type != "system"])]
    parts: JsonObject = {"system": [*system], "messages": [*spoken], "schema": schema, "params": params}
    # Left out where there are none: calls without tools keep the keys that they had before there were any.
    if tools:
        parts["tools"] = tools
    if tool_choice:
        parts["tool_choice"] = tool_choice
    return key_of(parts), spoken


def _spoken(messages: Sequence[BaseMessage]) -> list[str]:
    places: dict[str, int] = {}

    def place(call_id: object) -> int:
        return places.setdefault(str(call_id), len(places) + 1)

    lines = []
    for message in messages:
        line = f"{message.type}: {message.text}"
        if isinstance(message, ToolMessage):
            line += f"\nanswers call {place(message.tool_call_id)}"
        elif isinstance(message, AIMessage):
            for call in message.tool_calls:
                args = json.dumps(call["args"], sort_keys=True, ensure_ascii=False)
                line += f"\ncall {place(call['id'])}: {call['name']}({args})"
        lines.append(line)
    return lines
