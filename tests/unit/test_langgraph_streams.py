"""What our streams rely on in LangGraph, although nothing promises it: read this when an upgrade fails."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.pregel.protocol import StreamProtocol
from langgraph.runtime import Runtime
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    said: str


async def first(state: State, runtime: Runtime[None]) -> State:
    runtime.stream_writer("first works")
    return {"said": "first"}


def second(state: State, runtime: Runtime[None]) -> State:
    runtime.stream_writer("second works")
    return {"said": "second"}


class Saver(InMemorySaver):
    """Notes what had been emitted when a checkpoint was saved."""

    def __init__(self, emitted: list[Any]) -> None:
        super().__init__()
        self.emitted = emitted
        self.known: list[list[str]] = []

    async def aput(self, config: RunnableConfig, *rest: Any) -> RunnableConfig:
        self.known.append([mode for _, mode, _ in self.emitted])
        return await super().aput(config, *rest)


async def carried(subgraph: bool) -> tuple[list[Any], Saver]:
    """What a graph, or one inside another, gives to a stream in its configuration."""
    emitted: list[Any] = []
    saver = Saver(emitted)
    flow = StateGraph(State).add_node("first", first).add_node("second", second)
    flow = flow.add_edge(START, "first").add_edge("first", "second")
    outer = StateGraph(State).add_node("inside", flow.compile()).add_edge(START, "inside")
    graph = (outer if subgraph else flow).compile(checkpointer=saver)
    ours = {
        "thread_id": "1",
        "__pregel_stream": StreamProtocol(emitted.append, {"values", "updates"}),
        "__pregel_runtime": Runtime(stream_writer=lambda said: emitted.append(((), "custom", said))),
    }
    assert [
        c async for c in graph.astream({"said": ""}, {"configurable": ours}, stream_mode=[], durability="sync")
    ] == []
    return emitted, saver


async def test_what_a_step_emits_is_known_before_its_checkpoint_is_saved() -> None:
    emitted, saver = await carried(subgraph=False)

    assert [mode for _, mode, _ in emitted] == ["values"] + ["custom", "updates", "values"] * 2
    assert saver.known[-2:] == [["values", "custom", "updates", "values"], [mode for _, mode, _ in emitted]]


async def test_subgraphs_emit_to_the_same_stream_with_their_namespace() -> None:
    emitted, _ = await carried(subgraph=True)

    inside = [mode for namespace, mode, _ in emitted if namespace and namespace[0].startswith("inside:")]
    assert inside == ["values"] + ["updates", "values"] * 2
    assert [mode for namespace, mode, _ in emitted if not namespace] == [
        "values",
        "custom",
        "custom",
        "updates",
        "values",
    ]
