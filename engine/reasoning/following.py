"""Follows a run through LangChain's callbacks and tells of each stage, model call, tool call and branch that ends."""

import time
from typing import Any, Protocol
from uuid import UUID

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langgraph.callbacks import GraphCallbackHandler, GraphInterruptEvent, GraphResumeEvent
from langgraph.errors import GraphBubbleUp

from contracts.errors import GatehouseError
from engine.reasoning.branches import Fork
from engine.reasoning.matter import Kept, message_of
from engine.traces.metrics import TRACE_FAILURES

Entry = dict[str, Any]
_NOT_PARAMS = frozenset({"_type", "tools", "response_format", "messages"})


class Keeper(Protocol):
    """Who keeps what is told."""

    def keep(self, value: Any) -> Kept: ...

    def add(self, entry: Entry) -> None: ...


class Follower(GraphCallbackHandler):
    """One for each attempt to carry a run. What fails in here is counted and never fails the run: LangChain sees to it.

    In line: handed to a thread, each event would cost several times as much.
    """

    run_inline = True

    def __init__(self, keeper: Keeper, forks: dict[tuple[str, str], Fork]) -> None:
        self._keeper = keeper
        self._forks = forks
        self._open: dict[int, tuple[Entry, float]] = {}
        """What has begun and not ended, and when."""
        self._spoken: dict[tuple[str, str], Kept] = {}

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        name: str | None = None,
        **more: Any,
    ) -> None:
        """A stage begins, or a router; other parts of a graph are passed over."""
        if not metadata or (stage := metadata.get("langgraph_node")) is None:
            return
        if name == stage:
            self._begin(run_id, "stage", metadata)
        elif fork := self._forks.get((stage, str(name))):
            with _MINDED:
                seen = {field: self._keeper.keep(value) for field, value in fork.values(inputs).items()}
                self._begin(run_id, "branch", metadata, {"router": name, "values": seen})

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **more: Any) -> None:
        with _MINDED:
            open_ = self._open.get(run_id.int)
            if open_ is None:
                return
            if open_[0]["kind"] == "branch":
                place = (open_[0]["stage"], str(open_[0]["router"]))
                self._end(run_id, {"led": self._forks[place].led(outputs)})
            else:
                self._end(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        """A stage that waits for an answer leaves by an error, too."""
        with _MINDED:
            waits = isinstance(error, GraphBubbleUp)
            self._end(run_id, {"waits": True} if waits else {"error": _code(error)})

    def on_chat_model_start(
        self,
        serialized: Any,
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        with _MINDED:
            asked = dict(more.get("invocation_params") or {})
            keep = self._keeper.keep
            said: Entry = {
                "messages": [self._kept(message) for message in messages[0]],
                "params": keep({name: value for name, value in asked.items() if name not in _NOT_PARAMS}),
            }
            if tools := asked.get("tools"):
                said["tools"] = keep(tools)
            if schema := asked.get("response_format"):
                said["schema"] = keep(schema)
            self._begin(run_id, "model", metadata or {}, said)

    def on_llm_new_token(self, token: str | list[str | dict[str, Any]], *, run_id: UUID, **more: Any) -> None:
        open_ = self._open.get(run_id.int)
        if open_ and "first_us" not in open_[0]:
            open_[0]["first_us"] = _since(open_[1])

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **more: Any) -> None:
        with _MINDED:
            generation = response.generations[0][0]
            message = generation.message if isinstance(generation, ChatGeneration) else AIMessage(generation.text)
            about = message.response_metadata
            said: Entry = {"reply": self._keeper.keep(message_of(message))}
            for name in ("model_name", "finish_reason", "source"):
                if about.get(name):
                    said[name] = about[name]
            if isinstance(message, AIMessage) and (usage := message.usage_metadata):
                said["usage"] = {"read": usage["input_tokens"], "written": usage["output_tokens"]}
            self._end(run_id, said)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        with _MINDED:
            self._end(run_id, {"error": _code(error)})

    def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: UUID, metadata: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """What was asked and answered stands in the audit trail under the call's key."""
        with _MINDED:
            said = {"tool": more.get("name"), "call_key": more.get("tool_call_id")}
            self._begin(run_id, "tool", metadata or {}, said)

    def on_tool_end(self, output: Any, *, run_id: UUID, **more: Any) -> None:
        with _MINDED:
            self._end(run_id)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        with _MINDED:
            self._end(run_id, {"error": _code(error)})

    def on_interrupt(self, event: GraphInterruptEvent) -> None:
        """The run waits from here on."""
        with _MINDED:
            ids = [interrupt.id for interrupt in event.interrupts]
            values = [interrupt.value for interrupt in event.interrupts]
            kinds = [str(value.get("kind", "")) if isinstance(value, dict) else "" for value in values]
            self._keeper.add({"kind": "interrupt", "at": time.time(), "interrupts": ids, "kinds": kinds})

    def on_resume(self, event: GraphResumeEvent) -> None:
        """A run goes on from a checkpoint."""
        with _MINDED:
            self._keeper.add({"kind": "resume", "at": time.time(), "checkpoint_id": event.checkpoint_id})

    def _kept(self, message: BaseMessage) -> Kept:
        """What is said with every call, as a prompt is, is encoded once."""
        said = message.content
        if not isinstance(said, str) or not isinstance(message, (SystemMessage, HumanMessage)) or message.name:
            return self._keeper.keep(message_of(message))
        key = (message.type, said)
        if key not in self._spoken:
            self._spoken[key] = self._keeper.keep(message_of(message))
        return self._spoken[key]

    def _begin(self, run_id: UUID, kind: str, metadata: dict[str, Any], said: Entry | None = None) -> None:
        stage, step = metadata.get("langgraph_node"), metadata.get("langgraph_step")
        entry: Entry = {"kind": kind, "at": time.time(), "stage": stage, "step": step}
        if said:
            entry.update(said)
        self._open[run_id.int] = (entry, time.perf_counter())

    def _end(self, run_id: UUID, said: Entry | None = None) -> None:
        if open_ := self._open.pop(run_id.int, None):
            entry, began = open_
            entry["us"] = _since(began)
            if said:
                entry.update(said)
            self._keeper.add(entry)


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1e6)


def _code(error: BaseException) -> str:
    """The text of an unknown error may carry anything, and stands in the worker's log."""
    return error.code if isinstance(error, GatehouseError) else type(error).__name__


class _Minded:
    """Counts what fails in the block; LangChain swallows it."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            TRACE_FAILURES.inc()


_MINDED = _Minded()
