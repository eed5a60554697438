"""Takes what a graph streams as it is emitted, and has kept what the caller asked for, as numbered events."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import UUID

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.pregel._messages import StreamMessagesHandler
from langgraph.pregel._tools import StreamToolCallHandler
from langgraph.pregel.protocol import StreamProtocol
from langgraph.runtime import Runtime

from engine.catalog.workflow import Graph
from engine.runs.events import Named, append_events
from engine.runs.model import Run
from engine.store.database import Connection
from engine.store.journal import Note
from engine.worker.subgraphs import Namespace, Subgraphs, Told
from engine.worker.wire import encode

_LOOP_MODES = frozenset({"values", "updates", "tasks", "checkpoints", "debug"})
_BATCH = 1000
"""Events that one statement keeps at most."""

Chunk = tuple[Namespace, str, Any]


class Relay:
    """What one attempt to carry a run streams.

    LangGraph yields what a super-step emitted only after its checkpoint is written; a worker killed in between would
    lose it. So events are taken where they are emitted, as a graph takes those of its subgraphs.
    """

    def __init__(self, run: Run, hold: Callable[[Note], None]) -> None:
        """`hold` has a note carried out in the next transaction of the run, in turn, and soon."""
        self._run = run
        self._hold = hold
        self._wanted = frozenset(run.stream_modes)
        self._announced: set[str | None] = set()
        self._subgraphs = Subgraphs()
        self._batch: list[Named] = []
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()

    async def carry(self, graph: Graph, value: Any, config: RunnableConfig, **how: Any) -> None:
        """Run the graph as `astream` does, `how` being its other arguments, and keep what was asked for."""
        if not self._wanted:
            async for _ in graph.astream(value, config, stream_mode=[], **how):
                pass
            return
        # Readers of a run are told of its first attempt before it begins, so this one is for those of its thread.
        self._keep(
            "began" if self._run.epoch == 1 else "metadata", {"run_id": self._run.id, "attempt": self._run.attempts}
        )
        config = self._listening(config)
        if "events" not in self._wanted:
            async for _ in graph.astream(value, config, stream_mode=[], **how):
                pass
            return
        config["run_id"] = UUID(self._run.id)
        async for event in graph.astream_events(value, config, version="v2", stream_mode=[], **how):
            self._keep("events", _unasked(cast("dict[str, Any]", event)))

    def _listening(self, config: RunnableConfig) -> RunnableConfig:
        wanted = self._wanted | ({"tasks"} if "lifecycle" in self._wanted else set())
        ours = {
            "__pregel_stream": StreamProtocol(self._take, cast(Any, set(wanted & _LOOP_MODES))),
            "__pregel_runtime": Runtime(stream_writer=self._write if "custom" in wanted else lambda _: None),
        }
        callbacks = [*cast("list[Any]", config.get("callbacks") or [])]
        if wanted & {"messages", "messages-tuple"}:
            callbacks.append(StreamMessagesHandler(self._take, subgraphs=True))
        if "tools" in wanted:
            callbacks.append(StreamToolCallHandler(self._take, subgraphs=True))
        return {**config, "configurable": {**config.get("configurable", {}), **ours}, "callbacks": callbacks}

    def _write(self, value: Any) -> None:
        """The stream writer that stages are given."""
        inside = str(get_config()["configurable"]["checkpoint_ns"]).split("|")[:-1]
        self._take((tuple(inside), "custom", value))

    def _take(self, chunk: Chunk) -> None:
        """Called where something is emitted, by stages that are not async from another thread."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._take, chunk)
            return
        namespace, mode, data = chunk
        if "lifecycle" in self._wanted:
            self._tell(self._subgraphs.begun(namespace))
        if self._is_wanted(namespace, mode):
            if mode == "messages" and "messages" in self._wanted:
                self._announce(*data)
            if mode == "debug" and data["type"] == "checkpoint":
                data = {**data, "payload": _named(data["payload"])}
            self._keep("|".join((mode, *namespace)), data)
        if mode == "tasks" and "lifecycle" in self._wanted:
            self._tell(self._subgraphs.ended(namespace, data))

    def _is_wanted(self, namespace: Namespace, mode: str) -> bool:
        if namespace and "subgraphs" not in self._wanted:
            return False
        return mode in self._wanted or (mode == "messages" and "messages-tuple" in self._wanted)

    def _tell(self, told: Iterator[Told]) -> None:
        for namespace, data in told:
            self._keep("|".join(("lifecycle", *namespace)), data)

    def _announce(self, message: BaseMessage, metadata: dict[str, Any]) -> None:
        """The mode `messages` says once of each message where it comes from."""
        if message.id not in self._announced:
            self._announced.add(message.id)
            self._keep("messages/metadata", {message.id: {"metadata": metadata}})

    def _keep(self, name: str, data: Any) -> None:
        if len(self._batch) == _BATCH:
            self._batch = []
        # Encoded at once: the graph goes on changing what it emitted.
        self._batch.append((name, encode(data)))
        if len(self._batch) == 1:
            self._hold(self._keeping(self._batch))

    def _keeping(self, batch: list[Named]) -> Note:
        async def keep(conn: Connection) -> None:
            # What comes from now on belongs to the next transaction; this one may be tried again with the same batch.
            if self._batch is batch:
                self._batch = []
            await append_events(conn, self._run, batch)

        return keep


def _unasked(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what a model was asked: prompts are the workflow's, not its caller's."""
    if not str(event["event"]).startswith("on_chat_model"):
        return event
    return {**event, "data": {name: value for name, value in event["data"].items() if name != "input"}}


def _named(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint with its own and its parent's name, as the mode `debug` has them."""
    parent = checkpoint["parent_config"]
    return {
        **checkpoint,
        "checkpoint": checkpoint["config"]["configurable"],
        "parent_checkpoint": parent["configurable"] if parent else None,
        "tasks": [_leading(task) for task in checkpoint["tasks"]],
    }


def _leading(task: dict[str, Any]) -> dict[str, Any]:
    """A task that is a subgraph says where the checkpoints of that are."""
    inside = task.get("state") or {}
    if "configurable" not in inside:
        return task
    return {name: value for name, value in task.items() if name != "state"} | {"checkpoint": inside["configurable"]}
