"""Every stream mode of a run, as clients of the LangGraph API expect it on the wire."""

import itertools
from typing import Any, get_args

import httpx
import pytest
from langgraph_sdk.schema import StreamMode

from api.modes import StreamMode as OurStreamMode
from tests.cases import client_of
from tests.conftest import People
from tests.streaming import HELLO, names, new_thread, of, parts, streamed


async def test_metadata_comes_first_and_nothing_after_the_run(trial_url: str, trial_people: People) -> None:
    stream = await streamed(trial_url, trial_people.ada, "three_stages", {"text": "a b"}, "values")

    assert names(stream) == ["metadata"] + ["values"] * 4
    assert set(stream[0].data) == {"run_id", "attempt"}
    assert stream[1].data == {"text": "a b"}
    assert stream[-1].data["summary"] == "2 words, 2 letters"


async def test_updates_and_values_come_in_the_order_of_the_steps(trial_url: str, trial_people: People) -> None:
    stream = await streamed(trial_url, trial_people.ada, "three_stages", {"text": "a"}, ["updates", "values"])

    assert names(stream) == ["metadata", "values"] + ["updates", "values"] * 3
    assert all(len(update) == 1 for update in of(stream, "updates"))


async def test_tokens_come_as_pieces_with_where_they_are_from(trial_url: str, trial_people: People) -> None:
    stream = await streamed(trial_url, trial_people.ada, "talk", HELLO, "messages-tuple")

    pieces = of(stream, "messages")
    assert "".join(piece["content"] for piece, _ in pieces) == "You said: hello there"
    assert len(pieces) > 3
    assert {piece["type"] for piece, _ in pieces} == {"AIMessageChunk"}
    assert {metadata["langgraph_node"] for _, metadata in pieces} == {"answer"}


async def test_tokens_come_as_growing_messages(trial_url: str, trial_people: People) -> None:
    stream = await streamed(trial_url, trial_people.ada, "talk", HELLO, "messages")

    grown = [messages[0]["content"] for messages in of(stream, "messages/partial")]
    assert names(stream)[:3] == ["metadata", "messages/metadata", "messages/partial"]
    assert of(stream, "messages/metadata")[0]["answer-1"]["metadata"]["langgraph_node"] == "answer"
    assert grown[-1] == "You said: hello there"
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(grown))


async def test_progress_comes_as_it_was_written(trial_url: str, trial_people: People) -> None:
    stream = await streamed(trial_url, trial_people.ada, "custom", {"steps": 3}, ["custom", "updates"])

    assert of(stream, "custom") == [{"step": 1}, {"step": 2}, {"step": 3}]
    assert names(stream)[-1] == "updates"


async def test_tasks_say_what_begins_and_what_came_of_it(trial_url: str, trial_people: People) -> None:
    begun, ended = of(await streamed(trial_url, trial_people.ada, "custom", {"steps": 1}, "tasks"), "tasks")

    assert (begun["name"], begun["input"]) == ("work", {"steps": 1})
    assert (ended["id"], ended["result"], ended["error"]) == (begun["id"], {"summary": "1 steps"}, None)


async def test_checkpoints_and_debug_name_what_is_kept(trial_url: str, trial_people: People) -> None:
    stream = await streamed(trial_url, trial_people.ada, "custom", {"steps": 1}, ["checkpoints", "debug"])

    kept, told = of(stream, "checkpoints"), of(stream, "debug")
    ids = [checkpoint["config"]["configurable"]["checkpoint_id"] for checkpoint in kept]
    assert [checkpoint["next"] for checkpoint in kept] == [["__start__"], ["work"], []]
    assert [d["payload"]["checkpoint"]["checkpoint_id"] for d in told if d["type"] == "checkpoint"] == ids
    assert [d["type"] for d in told] == ["checkpoint", "checkpoint", "task", "task_result", "checkpoint"]
    assert not any("__pregel" in key for checkpoint in kept for key in checkpoint["config"]["configurable"])


async def test_a_checkpoint_says_where_those_of_a_subgraph_are(trial_url: str, trial_people: People) -> None:
    told = of(await streamed(trial_url, trial_people.ada, "nested", {"number": 1}, "debug"), "debug")

    tasks = [task for d in told if d["type"] == "checkpoint" for task in d["payload"]["tasks"]]
    (inside,) = [task for task in tasks if task["name"] == "calculate"]
    assert inside["checkpoint"]["checkpoint_ns"] == f"calculate:{inside['id']}"
    assert "state" not in inside


async def test_events_show_everything_but_the_prompts(trial_url: str, trial_people: People) -> None:
    told = of(await streamed(trial_url, trial_people.ada, "talk", HELLO, "events"), "events")

    kinds = [event["event"] for event in told]
    assert kinds[0] == "on_chain_start"
    assert kinds[-1] == "on_chain_end"
    assert {"on_chat_model_start", "on_chat_model_stream", "on_chat_model_end"} <= set(kinds)
    assert not any("input" in e["data"] for e in told if e["event"].startswith("on_chat_model"))


async def test_subgraphs_are_shown_when_asked_for(trial_url: str, trial_people: People) -> None:
    shown = await streamed(
        trial_url, trial_people.ada, "nested", {"number": 3}, ["updates", "values"], stream_subgraphs=True
    )
    plain = await streamed(trial_url, trial_people.ada, "nested", {"number": 3}, ["updates", "values"])

    assert names(shown).count("updates|calculate") == 2
    assert names(plain) == [name for name in names(shown) if "|" not in name]


async def test_lifecycle_says_when_subgraphs_begin_and_end(trial_url: str, trial_people: People) -> None:
    stream = await streamed(trial_url, trial_people.ada, "nested", {"number": 3}, ["lifecycle", "updates"])

    told = [(part.event.split(":")[0], part.data["event"]) for part in stream if "event" in part.data]
    assert told == [("lifecycle|calculate", "started"), ("lifecycle|calculate", "completed")]
    assert [name for name in names(stream) if name.startswith("updates")] == ["updates"] * 3


async def test_an_open_gate_shows_in_values_and_updates(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread = await new_thread(client)

    asked: Any = {"case": "streamed", "number": 50_000}
    stream = await parts(client.runs.stream(thread, "gate", input=asked, stream_mode=["values", "updates"]))

    interrupts: Any = (await client.threads.get_state(thread))["interrupts"]
    assert of(stream, "updates")[-1] == {"__interrupt__": interrupts}
    assert of(stream, "values")[-1]["__interrupt__"] == interrupts


async def test_a_failure_is_the_last_event_and_tells_no_foreign_text(trial_url: str, trial_people: People) -> None:
    stream = await streamed(trial_url, trial_people.ada, "fails", {"message": "very secret"}, ["updates", "tasks"])

    assert stream[-1].event == "error"
    assert set(stream[-1].data) == {"error", "message"}
    assert of(stream, "tasks")[-1]["error"] == "ValueError"
    assert "very secret" not in str([part.data for part in stream[2:] if "input" not in part.data])


async def test_every_mode_is_taken_at_once(trial_url: str, trial_people: People) -> None:
    modes = list(get_args(OurStreamMode))

    stream = await streamed(trial_url, trial_people.ada, "talk", HELLO, modes, stream_subgraphs=True)

    assert set(modes) == set(get_args(StreamMode))
    assert {"values", "updates", "messages", "tasks", "checkpoints", "debug", "events"} <= set(names(stream))


@pytest.mark.parametrize("mode", ["nonsense", "", ["values", 5], "subgraphs"])
async def test_another_mode_is_refused(trial_url: str, trial_people: People, mode: Any) -> None:
    async with httpx.AsyncClient(base_url=trial_url, headers={"x-api-key": trial_people.ada}) as http:
        thread = (await http.post("/threads", json={})).json()["thread_id"]
        body = {"assistant_id": "custom", "input": {"steps": 1}, "stream_mode": mode}
        reply = await http.post(f"/threads/{thread}/runs/stream", json=body)

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
