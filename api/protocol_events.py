"""The event stream protocol: a thread's kept events as its events, with numbers that are the same for every reader."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from api.protocol_messages import Growing, Json, whole_message
from engine.runs.pages import ThreadEvent

STREAM_MODES = (
    "values",
    "updates",
    "messages-tuple",
    "tools",
    "custom",
    "tasks",
    "checkpoints",
    "lifecycle",
    "subgraphs",
)
"""What runs stream that are started by the protocol: subscriptions come later, and may want any of it."""
NUMBERS_PER_EVENT = 1000
_INTERRUPT = "__interrupt__"

Namespace = tuple[str, ...]
Told = tuple[str, Namespace, Any]
"""Method, namespace and data of a protocol event."""


@dataclass
class Translator:
    """Reads the kept events of a thread from the first one of a run on."""

    _runs: dict[str, "_RunSoFar"] = field(default_factory=dict)

    def events(self, kept: ThreadEvent) -> Iterator[Json]:
        """What one kept event tells, as protocol events."""
        run = self._runs.setdefault(kept.run_id, _RunSoFar(kept.workflow))
        for part, (method, namespace, data) in enumerate(run.told(kept)):
            yield {
                "type": "event",
                "event_id": f"{kept.number}.{part}" if part else str(kept.number),
                "seq": kept.number * NUMBERS_PER_EVENT + min(part, NUMBERS_PER_EVENT - 1),
                "method": method,
                "params": {"namespace": list(namespace), "timestamp": int(kept.at.timestamp() * 1000), "data": data},
            }
        if kept.name == "done":
            del self._runs[kept.run_id]


@dataclass
class _RunSoFar:
    """What has been told of one run."""

    workflow: str
    messages: dict[str, Growing] = field(default_factory=dict)
    interrupts: dict[str, tuple[Namespace, Any]] = field(default_factory=dict)
    error: str | None = None

    def told(self, kept: ThreadEvent) -> Iterator[Told]:
        mode, *inside = kept.name.split("|")
        namespace, data = tuple(inside), orjson.loads(kept.data)
        match mode:
            case "began" | "metadata":
                yield "lifecycle", (), {"event": "running", "graph_name": self.workflow}
            case "values" | "updates":
                self._remember_interrupts(namespace, data)
                yield from ((mode, namespace, told) for told in _SHAPES[mode](data))
            case "messages":
                yield from (("messages", namespace, told) for told in self._message(*data))
            case "custom" | "checkpoints":
                yield from ((mode, namespace, told) for told in _SHAPES[mode](data))
            case "tools" | "tasks" | "lifecycle":
                yield mode, namespace, data
            case "error":
                self.error = data["message"]
            case "done":
                yield from self._end(kept, data)

    def _message(self, message: Json, metadata: Json) -> Iterator[Json]:
        if message["type"] != "AIMessageChunk":
            yield from whole_message(message)
            return
        growing = self.messages.setdefault(message["id"], Growing())
        yield from growing.piece(message, metadata)
        if message.get("chunk_position") == "last":
            yield from self.messages.pop(message["id"]).end(message.get("usage_metadata"))

    def _remember_interrupts(self, namespace: Namespace, data: Any) -> None:
        for interrupt in data.get(_INTERRUPT, ()) if isinstance(data, dict) else ():
            # A subgraph's interrupt is told by the graphs around it, too: the first to tell it is where it happened.
            self.interrupts.setdefault(interrupt["id"], (namespace, interrupt["value"]))

    def _end(self, kept: ThreadEvent, data: Json) -> Iterator[Told]:
        for growing in self.messages.values():
            yield from (("messages", (), told) for told in growing.end(None))
        parked = data["run_status"] == "interrupted" and data["outcome"] is None
        if parked and not kept.went_on:
            for interrupt_id, (namespace, value) in self.interrupts.items():
                # The protocol says `payload`; the Python client reads `value`.
                yield "input.requested", namespace, {"interrupt_id": interrupt_id, "payload": value, "value": value}
        yield "lifecycle", (), {"graph_name": self.workflow} | self._outcome(data, parked=parked)

    def _outcome(self, data: Json, *, parked: bool) -> Json:
        if parked:
            return {"event": "interrupted"}
        if data["run_status"] == "success":
            return {"event": "completed"}
        return {"event": "failed", "error": self.error or f"The run was {data['outcome'] or data['run_status']}."}


def _values(data: Any) -> Iterator[Any]:
    yield {k: v for k, v in data.items() if k != _INTERRUPT} if isinstance(data, dict) else data


def _updates(data: Any) -> Iterator[Json]:
    for node, values in data.items() if isinstance(data, dict) else ():
        if node != _INTERRUPT:
            yield {"node": node, "values": values}


def _custom(data: Any) -> Iterator[Json]:
    """What a stage wrote; what has a name can be listened to by it."""
    name = data.get("name") if isinstance(data, dict) else None
    yield {"payload": data} | ({"name": name} if isinstance(name, str) and name else {})


def _checkpoints(data: Json) -> Iterator[Json]:
    parent = (data["parent_config"] or {}).get("configurable", {}).get("checkpoint_id")
    told = {
        "id": data["config"]["configurable"]["checkpoint_id"],
        "step": data["metadata"]["step"],
        "source": data["metadata"]["source"],
    }
    yield told | ({"parent_id": parent} if parent else {})


_SHAPES: dict[str, Callable[[Any], Iterator[Any]]] = {
    "values": _values,
    "updates": _updates,
    "custom": _custom,
    "checkpoints": _checkpoints,
}
