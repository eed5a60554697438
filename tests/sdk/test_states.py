"""Every method of the threads' client about state."""

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError
from langgraph_sdk.schema import Checkpoint, ThreadState, ThreadUpdateStateResponse

from tests.sdk.shapes import require_fit


async def ran(client: LangGraphClient, workflow: str = "three_stages", **value: Any) -> str:
    """The thread of a run that has ended."""
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, workflow, input=value or {"text": "one two"})
    return thread


async def test_the_newest_state_is_read(client: LangGraphClient) -> None:
    thread = await ran(client)

    state = await client.threads.get_state(thread, subgraphs=True)
    part = await client.threads.get_state(thread, select=["values.text", "values.nothing", "next"])

    require_fit(state, ThreadState)
    assert (state["next"], state["values"]["summary"]) == ([], "2 words, 6 letters")
    assert part == {"values": {"text": "one two"}, "next": []}


async def test_the_state_of_a_thread_without_runs_is_empty(client: LangGraphClient) -> None:
    state = await client.threads.get_state((await client.threads.create())["thread_id"])

    assert (state["values"], state["next"], state["tasks"]) == ({}, [], [])


async def test_what_a_thread_waits_for_is_in_its_state(client: LangGraphClient) -> None:
    state = await client.threads.get_state(await ran(client, "question", topic="tea"))

    require_fit(state, ThreadState)
    assert state["next"] == ["ask"]
    assert state["tasks"][0]["name"] == "ask"
    assert state["tasks"][0]["interrupts"] == state["interrupts"] != []


async def test_history_is_read_newest_first(client: LangGraphClient) -> None:
    thread = await ran(client)

    history = await client.threads.get_history(thread, limit=3)
    before = await client.threads.get_history(thread, before=history[1]["checkpoint"], limit=1)
    same = await client.threads.get_history(thread, before=str(history[1]["checkpoint"]["checkpoint_id"]), limit=1)
    inputs = await client.threads.get_history(thread, metadata={"source": "input"}, select=["metadata"])
    named: Checkpoint = history[0]["checkpoint"]

    require_fit(history, list[ThreadState])
    assert [len(state["next"]) for state in history] == [0, 1, 1]
    assert before == same == history[2:]
    assert [list(state) for state in inputs] == [["metadata"]]
    assert await client.threads.get_history(thread, checkpoint=named | {"checkpoint_id": None}, limit=3) == history


async def test_the_state_at_a_checkpoint_is_read(client: LangGraphClient) -> None:
    thread = await ran(client)
    earlier = (await client.threads.get_history(thread))[2]

    by_checkpoint = await client.threads.get_state(thread, checkpoint=earlier["checkpoint"])
    by_id = await client.threads.get_state(thread, checkpoint_id=str(earlier["checkpoint"]["checkpoint_id"]))

    require_fit(by_checkpoint, ThreadState)
    assert by_checkpoint == by_id == earlier


async def test_state_is_written_as_a_stage(client: LangGraphClient) -> None:
    thread = await ran(client)
    before = await client.threads.get_state(thread)

    written = await client.threads.update_state(thread, {"summary": "mine"}, as_node="sum_up")
    state: Any = await client.threads.get_state(thread)
    at = before["checkpoint"]
    await client.threads.update_state(thread, {"text": "a"}, as_node="count_words", checkpoint=at)
    await client.threads.update_state(
        thread, {"text": "b"}, checkpoint_id=str(at["checkpoint_id"]), as_node="count_words"
    )

    require_fit(written, ThreadUpdateStateResponse)
    assert written["checkpoint"] == state["checkpoint"]
    assert (state["values"]["summary"], state["values"]["text"]) == ("mine", "one two")
    assert state["parent_checkpoint"] == at


async def test_a_thread_is_made_with_a_state(client: LangGraphClient) -> None:
    steps: Any = [
        {"updates": [{"values": {"text": "a b"}, "as_node": "__start__"}]},
        {"updates": [{"values": {"summary": "given"}, "as_node": "sum_up"}]},
    ]

    thread = await client.threads.create(graph_id="three_stages", supersteps=steps)
    state: Any = await client.threads.get_state(thread["thread_id"])

    assert (state["values"], state["next"]) == ({"text": "a b", "summary": "given"}, [])


async def paused_inside(client: LangGraphClient) -> tuple[str, Checkpoint]:
    """A thread whose subgraph waits, and where the checkpoints of the subgraph are."""
    thread = await ran(client, "confirmed", number=3)
    (task,) = (await client.threads.get_state(thread))["tasks"]
    assert (task["name"], task["state"], task["interrupts"][0]["value"]["stage"]) == ("calculate", None, "confirm")
    assert task["checkpoint"]
    return thread, task["checkpoint"]


async def test_a_task_that_is_a_subgraph_leads_to_its_state(client: LangGraphClient) -> None:
    thread, place = await paused_inside(client)

    whole = await client.threads.get_state(thread, subgraphs=True)
    inside = await client.threads.get_state(thread, checkpoint=place)

    require_fit(whole, ThreadState)
    assert place == {
        "thread_id": thread,
        "checkpoint_ns": f"calculate:{whole['tasks'][0]['id']}",
        "checkpoint_id": None,
        "checkpoint_map": None,
    }
    assert (whole["tasks"][0]["checkpoint"], whole["tasks"][0]["state"]) == (None, inside)
    assert (inside["next"], inside["values"]) == (["confirm"], {"number": 3, "doubled": 6})
    assert inside["tasks"][0]["interrupts"] == inside["interrupts"] == whole["interrupts"] != []


async def test_older_states_of_a_subgraph_are_read_while_it_waits_and_when_it_is_over(client: LangGraphClient) -> None:
    thread, place = await paused_inside(client)
    before = await client.threads.get_history(thread, checkpoint=place)

    await client.runs.wait(thread, "confirmed", command={"resume": "yes"})
    after = await client.threads.get_history(thread, checkpoint=place)
    newest = await client.threads.get_state(thread, checkpoint=place)
    older = [await client.threads.get_state(thread, checkpoint=state["checkpoint"]) for state in after]

    assert [state["next"] for state in before] == [["confirm"], ["double"], ["__start__"]]
    assert [state["next"] for state in after] == [[], ["note"], *(state["next"] for state in before)]
    assert [state["values"] for state in after[2:]] == [state["values"] for state in before]
    assert newest == older[0] == after[0]
    assert older[1:] == after[1:]
    assert (await client.threads.get_history(thread, checkpoint=place, before=after[2]["checkpoint"])) == after[3:]


async def test_a_subgraph_without_a_checkpoint_has_an_empty_state_and_none_is_written(client: LangGraphClient) -> None:
    thread, place = await paused_inside(client)
    await client.runs.wait(thread, "confirmed", command={"resume": "yes"})

    nowhere = await client.threads.get_state(thread, checkpoint={**place, "checkpoint_ns": "calculate:nothing"})
    with pytest.raises(APIStatusError, match="subgraph"):
        await client.threads.update_state(thread, {"doubled": 1}, checkpoint=place)

    assert (nowhere["values"], nowhere["next"], nowhere["tasks"]) == ({}, [], [])
    assert (await client.threads.get_state(thread))["values"]["doubled"] == 6
