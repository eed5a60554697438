"""The event stream protocol: a thread's kept events as its events, with numbers that are the same for every reader."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from api.protocol_messages import Growing, Json, Namespace, whole_message
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


class Told(NamedTuple):
    """A protocol event before it has its numbers; messages name the stage that they come from."""

    method: str
    namespace: Namespace
    data: Any
    node: str | None = None


@dataclass
class Translator:
    """Reads the kept events of a thread from the first one of a run on."""

    _runs: dict[str, "_RunSoFar"] = field(default_factory=dict)

    def events(self, kept: ThreadEvent) -> Iterator[Json]:
        """What one kept event tells, as protocol events."""
        run = self._runs.setdefault(kept.run_id, _RunSoFar(kept.workflow))
        timestamp = int(kept.at.timestamp() * 1000)
        for part, told in enumerate(run.told(kept)):
            params = {"namespace": list(told.namespace), "timestamp": timestamp, "data": told.data}
            yield {
                "type": "event",
                "event_id": f"{kept.number}.{part}" if part else str(kept.number),
                "seq": kept.number * NUMBERS_PER_EVENT + min(part, NUMBERS_PER_EVENT - 1),
                "method": told.method,
                "params": params | ({"node": told.node} if told.node else {}),
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
                yield from self._lost_messages()
                yield Told("lifecycle", (), {"event": "running", "graph_name": self.workflow})
            case "values" | "updates":
                self._remember_interrupts(namespace, data)
                yield from (Told(mode, namespace, told) for told in _SHAPES[mode](data))
            case "messages":
                node = data[1].get("langgraph_node")
                yield from (Told("messages", namespace, told, node) for told in self._message(namespace, *data))
            case "custom" | "checkpoints":
                yield from (Told(mode, namespace, told) for told in _SHAPES[mode](data))
            case "tools" | "tasks" | "lifecycle":
                yield Told(mode, namespace, data)
            case "error":
                self.error = data["message"]
            case "done":
                yield from self._end(kept, data)

    def _message(self, namespace: Namespace, message: Json, metadata: Json) -> Iterator[Json]:
        if message["type"] != "AIMessageChunk":
            yield from whole_message(message, metadata, namespace)
            return
        growing = self.messages.setdefault(message["id"], Growing(message["id"], namespace, metadata))
        yield from growing.piece(message)
        if message.get("chunk_position") == "last":
            yield from self.messages.pop(message["id"]).end()

    def _lost_messages(self) -> Iterator[Told]:
        """Messages whose worker was lost; the next attempt tells them again."""
        for growing in self.messages.values():
            yield Told("messages", growing.namespace, growing.loss(), growing.node)
        self.messages.clear()

    def _remember_interrupts(self, namespace: Namespace, data: Any) -> None:
        for interrupt in data.get(_INTERRUPT, ()) if isinstance(data, dict) else ():
            # A subgraph's interrupt is told by the graphs around it, too: the first to tell it is where it happened.
            self.interrupts.setdefault(interrupt["id"], (namespace, interrupt["value"]))

    def _end(self, kept: ThreadEvent, data: Json) -> Iterator[Told]:
        yield from self._lost_messages()
        parked = data["run_status"] == "interrupted" and data["outcome"] is None
        if parked and kept.went_on:
            return  # nobody waits any more: who comes late would take it for the end, or answer again
        if parked:
            for interrupt_id, (namespace, value) in self.interrupts.items():
                # The protocol says `payload`; the Python client reads `value`.
                asked = {"interrupt_id": interrupt_id, "payload": value, "value": value}
                yield Told("input.requested", namespace, asked)
        yield Told("lifecycle", (), {"graph_name": self.workflow} | self._outcome(data, parked=parked))

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
