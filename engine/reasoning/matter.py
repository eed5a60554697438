"""What a trace holds as bytes: JSON without secrets, found by its SHA-256 where it is long, compressed and sealed."""

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

import orjson
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from pydantic import BaseModel

from engine.credentials.redactor import KNOWN
from engine.store import vault

SHORT = 200
"""Bytes of JSON that stand where they are needed; longer ones lie apart, once for a thread."""

Kept = list[Any]
"""`["=", value]`, or `["#", hex digest]` of what lies apart."""

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS


def as_json(value: Any) -> bytes:
    """JSON of whatever a graph carries, members in order; what JSON does not know is named by its type."""
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS)
    except TypeError:  # numbers beyond 64 bits, halves of characters
        return json.dumps(value, default=_plain, sort_keys=True, skipkeys=True).encode()


def message_of(message: BaseMessage) -> dict[str, Any]:
    """A message as it reaches a model: neither its id nor what a provider's library added."""
    found: dict[str, Any] = {"type": message.type, "content": message.content}
    # Asked one by one: pydantic takes long to say that a message has no such member.
    if message.name:
        found["name"] = message.name
    if isinstance(message, AIMessage) and message.tool_calls:
        found["tool_calls"] = message.tool_calls
    if isinstance(message, ToolMessage):
        found["tool_call_id"] = message.tool_call_id
    return found


@dataclass
class Batch:
    """Entries that are written together, and what they refer to that was not written before."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    """JSON by digest."""


def keep(value: Any, batch: Batch, known: set[bytes]) -> Kept:
    """`value` as an entry holds it, encoded at once: the graph goes on changing what it emitted."""
    text = as_json(value)
    if len(text) <= SHORT:
        return ["=", orjson.Fragment(text)]
    text = KNOWN.text(text.decode()).encode()
    digest = hashlib.sha256(text).digest()
    if digest not in known:
        known.add(digest)
        batch.blobs[digest] = text
    return ["#", digest.hex()]


def sealed(stream: str, text: bytes) -> tuple[bytes, bytes]:
    """`(payload, salt)`; the salt is to be kept beside."""
    return vault.seal(stream, zlib.compress(text, 6))


def opened(stream: str, payload: bytes, salt: bytes | None) -> Any:
    """What `sealed` was given, as a value; None for what was sealed with another key, or whose salt is forgotten."""
    text = vault.unseal(stream, payload, salt) if salt else None
    return json.loads(zlib.decompress(text)) if text else None


def _plain(value: Any) -> Any:
    if isinstance(value, BaseMessage):
        return message_of(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    return f"<{type(value).__name__}>"
