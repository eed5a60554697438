"""A graph of ours as a `RemoteGraph`: called, streamed, asked for its state, resumed, and used inside another graph."""

from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.sdk.test_runs import SUMMARY, TEXT
from tests.streaming import HELLO, new_thread


async def on_thread(client: LangGraphClient) -> RunnableConfig:
    return {"configurable": {"thread_id": await new_thread(client)}}


async def test_it_is_called_with_and_without_a_thread(client: LangGraphClient) -> None:
    graph, thread = RemoteGraph("three_stages", client=client), await on_thread(client)

    alone = await graph.ainvoke(TEXT)
    kept = await graph.ainvoke(TEXT, thread, durability="sync")
    state = await graph.aget_state(thread)

    assert alone["summary"] == kept["summary"] == state.values["summary"] == SUMMARY
    assert state.config["configurable"]["thread_id"] == thread["configurable"]["thread_id"]


async def test_it_streams_in_every_shape(client: LangGraphClient) -> None:
    graph = RemoteGraph("nested", client=client)

    updates = [chunk async for chunk in graph.astream({"number": 2}, stream_mode="updates")]
    both = [chunk async for chunk in graph.astream({"number": 2}, stream_mode=["values", "updates"])]
    inner = [ns async for ns, _ in graph.astream({"number": 2}, stream_mode="updates", subgraphs=True)]

    assert all(len(update) == 1 for update in updates)
    assert {part.event for part in both} == {"values", "updates"}
    assert {len(ns) for ns in inner} == {0, 1}


async def test_it_streams_tokens(client: LangGraphClient) -> None:
    graph = RemoteGraph("talk", client=client)

    pieces = [piece["content"] async for piece, _ in graph.astream(HELLO, stream_mode="messages")]

    assert "".join(pieces) == "You said: hello there"


async def test_it_waits_and_is_resumed(client: LangGraphClient) -> None:
    graph, thread = RemoteGraph("question", client=client), await on_thread(client)

    await graph.ainvoke({"topic": "tea"}, thread)
    state = await graph.aget_state(thread)
    answered = await graph.ainvoke(Command(resume={state.interrupts[0].id: {"text": "with milk"}}), thread)

    assert state.next == ("ask",)
    assert state.tasks[0].interrupts[0].value["question"] == "What about tea?"
    assert answered["summary"] == "tea: with milk"


async def test_its_state_is_read_over_time_and_written(client: LangGraphClient) -> None:
    graph, thread = RemoteGraph("three_stages", client=client), await on_thread(client)
    await graph.ainvoke(TEXT, thread)

    history = [state async for state in graph.aget_state_history(thread, limit=2)]
    written = await graph.aupdate_state(thread, {"summary": "mine"}, as_node="sum_up")
    at: Any = history[1].config["configurable"]["checkpoint_id"]
    again = await graph.ainvoke(None, thread, checkpoint_id=at)

    assert [state.next for state in history] == [(), ("sum_up",)]
    assert written["configurable"]["checkpoint_id"] > history[0].config["configurable"]["checkpoint_id"]
    assert again["summary"] == SUMMARY


async def test_it_stops_where_it_is_told_and_goes_on(client: LangGraphClient) -> None:
    graph, thread = RemoteGraph("three_stages", client=client), await on_thread(client)

    await graph.ainvoke(TEXT, thread, interrupt_before=["sum_up"])
    stood = await graph.aget_state(thread)
    moved = await graph.ainvoke(Command(update={"words": 7}, goto="sum_up"), thread)

    assert stood.next == ("sum_up",)
    assert moved["summary"] == "7 words, 6 letters"


async def test_a_failure_is_raised(client: LangGraphClient) -> None:
    graph = RemoteGraph("fails", client=client)

    with pytest.raises(RemoteException, match="workflow_failed"):
        await graph.ainvoke({"message": "as it should"})


async def test_it_is_drawn(client: LangGraphClient, sync: SyncLangGraphClient) -> None:
    drawn = await RemoteGraph("nested", client=client).aget_graph(xray=True)

    assert {"__start__", "__end__"} <= set(drawn.nodes)
    assert RemoteGraph("nested", sync_client=sync).get_graph().nodes.keys() < drawn.nodes.keys() | {"calculate"}


async def test_it_is_a_stage_of_another_graph(client: LangGraphClient) -> None:
    class State(TypedDict, total=False):
        topic: str
        summary: str

    outer = StateGraph(State)
    outer.add_node("remote", RemoteGraph("question", client=client))
    outer.add_edge(START, "remote")
    outer.add_edge("remote", END)
    graph = outer.compile(checkpointer=InMemorySaver())
    thread = await on_thread(client)

    asked: Any = await graph.ainvoke({"topic": "tea"}, thread)
    interrupt = asked["__interrupt__"][0]
    result = await graph.ainvoke(Command(resume={interrupt.id: {"text": "with milk"}}), thread)

    assert interrupt.value["question"] == "What about tea?"
    assert result["summary"] == "tea: with milk"


def test_it_is_called_without_async(sync: SyncLangGraphClient) -> None:
    graph = RemoteGraph("three_stages", sync_client=sync)
    thread: RunnableConfig = {"configurable": {"thread_id": sync.threads.create()["thread_id"]}}

    result = graph.invoke(TEXT, thread)
    updates = list(graph.stream(TEXT, thread, stream_mode="updates"))
    config = graph.update_state(thread, {"summary": "mine"}, as_node="sum_up")

    assert (result["summary"], len(updates)) == (SUMMARY, 3)
    assert graph.get_state(thread).config == config
    assert len(list(graph.get_state_history(thread, limit=3))) == 3
