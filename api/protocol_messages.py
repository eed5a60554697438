"""Messages in the event stream protocol: pieces of a message as starts, deltas and ends of its content blocks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from langchain_core.messages import AIMessage, AIMessageChunk

Json = dict[str, Any]

_ROLES = {"ai": "ai", "human": "human", "system": "system"}
_DELTAS = {
    "text": ("text", "text-delta"),
    "reasoning": ("reasoning", "reasoning-delta"),
    "tool_call_chunk": ("args", "tool-call-delta"),
}
"""Kinds of block that come in pieces: the member that grows, and what a piece of it is called."""


def whole_message(message: Json) -> Iterator[Json]:
    """A message that was not streamed, as if it had been; tools' results are no messages here."""
    if message["type"] not in _ROLES:
        return
    growing = Growing()
    yield _start(message, {})
    for block in AIMessage(**message | {"type": "ai"}).content_blocks:
        yield from growing.block(dict(block), len(growing.blocks))
    yield from growing.end(message.get("usage_metadata"))


@dataclass
class Growing:
    """A message of which pieces are still to come."""

    blocks: dict[object, tuple[int, Json]] = field(default_factory=dict)
    """By what the model calls a block: its place in the message, and what there is of it."""
    started: bool = False

    def piece(self, message: Json, metadata: Json) -> Iterator[Json]:
        """What one more piece tells."""
        if not self.started:
            self.started = True
            yield _start(message, metadata)
        for block in AIMessageChunk(**message).content_blocks:
            yield from self.block(dict(block), block.get("index", block["type"]))

    def block(self, block: Json, key: object) -> Iterator[Json]:
        """What one more piece of a block tells."""
        kind = str(block["type"])
        grows, delta = _DELTAS.get(kind, ("", ""))
        if key not in self.blocks:
            self.blocks[key] = (len(self.blocks), block)
            begun = block | ({grows: ""} if grows else {})
            yield {"event": "content-block-start", "index": self.blocks[key][0], "content": begun}
        elif grows:
            so_far = self.blocks[key][1]
            so_far[grows] = (so_far.get(grows) or "") + (block.get(grows) or "")
        if block.get(grows):
            index = self.blocks[key][0]
            yield {"event": "content-block-delta", "index": index, "delta": {"type": delta, grows: block[grows]}}

    def end(self, usage: Json | None) -> Iterator[Json]:
        """What the end of the message tells."""
        for index, block in self.blocks.values():
            yield {"event": "content-block-finish", "index": index, "content": _finished(block)}
        yield {"event": "message-finish"} | ({"usage": usage} if usage else {})


def _start(message: Json, metadata: Json) -> Json:
    about = {
        "langgraph_node": metadata.get("langgraph_node"),
        "model": metadata.get("ls_model_name"),
        "provider": metadata.get("ls_provider"),
    }
    known = {name: value for name, value in about.items() if value is not None}
    return {"event": "message-start", "role": _ROLES.get(message["type"], "ai"), "id": message["id"], "metadata": known}


def _finished(block: Json) -> Json:
    """A block as it stands at the end: the pieces of a tool call are a call by then."""
    if block["type"] != "tool_call_chunk":
        return block
    call = {"id": block.get("id"), "name": block.get("name")}
    try:
        arguments = orjson.loads(block.get("args") or "{}")
    except orjson.JSONDecodeError:
        return call | {"type": "invalid_tool_call", "args": block.get("args"), "error": "The arguments are not JSON."}
    return call | {"type": "tool_call", "args": arguments}
