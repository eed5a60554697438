"""Messages in the event stream protocol: pieces of a message as starts, deltas and ends of its content blocks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from langchain_core.messages import AIMessage, AIMessageChunk

Json = dict[str, Any]
Namespace = tuple[str, ...]

_ROLES = {"ai": "ai", "AIMessageChunk": "ai", "human": "human", "system": "system"}
_DELTAS = {
    "text": ("text", "text-delta"),
    "reasoning": ("reasoning", "reasoning-delta"),
    "tool_call_chunk": ("args", "tool-call-delta"),
}
"""Kinds of block that come in pieces: the member that grows, and what a piece of it is called."""


def whole_message(message: Json, metadata: Json, namespace: Namespace) -> Iterator[Json]:
    """A message that was not streamed, as if it had been; tools' results are no messages here."""
    if message["type"] not in _ROLES:
        return
    growing = Growing(message["id"], namespace, metadata)
    yield growing.start(message)
    for block in AIMessage(**message | {"type": "ai"}).content_blocks:
        yield from growing.block(dict(block), len(growing.blocks))
    growing.usage = message.get("usage_metadata")
    yield from growing.end()


@dataclass
class Growing:
    """A message of which pieces are still to come."""

    message_id: str
    namespace: Namespace
    metadata: Json
    blocks: dict[object, tuple[int, Json]] = field(default_factory=dict)
    """By what the model calls a block: its place in the message, and what there is of it."""
    usage: Json | None = None
    started: bool = False

    @property
    def node(self) -> str | None:
        """The stage that the message comes from."""
        return self.metadata.get("langgraph_node")

    def piece(self, message: Json) -> Iterator[Json]:
        """What one more piece tells."""
        if not self.started:
            self.started = True
            yield self.start(message)
        # Of the last piece LangChain would make finished calls of what are pieces of them.
        piece = AIMessageChunk(**message | {"chunk_position": None})
        for block in piece.content_blocks:
            yield from self.block(dict(block), block.get("index", block["type"]))
        self.usage = message.get("usage_metadata") or self.usage

    def start(self, message: Json) -> Json:
        """What the beginning of the message tells: its role and where it comes from."""
        about = {
            "langgraph_node": self.node,
            "model": self.metadata.get("ls_model_name"),
            "provider": self.metadata.get("ls_provider"),
        }
        known = {name: value for name, value in about.items() if value is not None}
        role = _ROLES.get(message["type"], "ai")
        return self._told({"event": "message-start", "id": self.message_id, "role": role, "metadata": known})

    def block(self, block: Json, key: object) -> Iterator[Json]:
        """What one more piece of a block tells."""
        grows, delta = _DELTAS.get(str(block["type"]), ("", ""))
        if key not in self.blocks:
            self.blocks[key] = (len(self.blocks), block)
            begun = block | ({grows: ""} if grows else {})
            yield self._told({"event": "content-block-start", "index": self.blocks[key][0], "content": begun})
        elif grows:
            so_far = self.blocks[key][1]
            so_far[grows] = (so_far.get(grows) or "") + (block.get(grows) or "")
        if grows and block.get(grows):
            index = self.blocks[key][0]
            told = {"event": "content-block-delta", "index": index, "delta": {"type": delta, grows: block[grows]}}
            yield self._told(told)

    def end(self) -> Iterator[Json]:
        """What the end of the message tells."""
        for index, block in self.blocks.values():
            yield self._told({"event": "content-block-finish", "index": index, "content": _finished(block)})
        yield self._told({"event": "message-finish"} | ({"usage": self.usage} if self.usage else {}))

    def loss(self) -> Json:
        """What is told of a message whose end never came."""
        return self._told({"event": "error", "message": "The message was not finished."})

    def _told(self, data: Json) -> Json:
        # By these two clients tell messages apart that grow at the same time: one for Python, one for JavaScript.
        return data | {"message_id": self.message_id, "run_id": self.message_id}


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
