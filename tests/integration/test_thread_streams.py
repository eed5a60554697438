"""The stream of a thread: what all of its runs do, as it happens and after a reconnect."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.cases import client_of
from tests.conftest import People
from tests.streaming import HELLO, names, new_thread, of


@asynccontextmanager
async def following(
    url: str, key: str, thread: str, mode: Any = "run_modes", last_id: str | None = None
) -> AsyncIterator[list[Any]]:
    """Everything that a thread's stream gives while the block runs."""
    heard: list[Any] = []
    stream = await client_of(url, key).threads.join_stream(thread, stream_mode=mode, last_event_id=last_id)

    async def listen() -> None:
        async for part in stream:
            heard.append(part)

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.3)  # until the server follows: what came before it is not told
    try:
        yield heard
    finally:
        task.cancel()


async def until_done(heard: list[Any], runs: int) -> None:
    """Until so many runs were told to be done."""
    for _ in range(400):
        if [p.data.get("status") for p in heard if p.event == "metadata"].count("run_done") >= runs:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"heard only {names(heard)}")


async def test_runs_are_followed_one_after_another(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread = await new_thread(client)

    async with following(trial_url, trial_people.ada, thread) as heard:
        first = await client.runs.create(thread, "talk", input=HELLO, stream_mode="updates")
        second = await client.runs.create(thread, "talk", input=HELLO, stream_mode="messages-tuple")
        await until_done(heard, runs=2)

    told = [part.data["run_id"] for part in heard if part.event == "metadata"]
    assert told == [first["run_id"]] * 2 + [second["run_id"]] * 2
    assert names(heard)[:3] == ["metadata", "updates", "metadata"]
    assert set(names(heard)[4:-1]) == {"messages"}


async def test_who_follows_hears_of_runs_whose_caller_only_waits(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread = await new_thread(client)

    async with following(trial_url, trial_people.ada, thread) as heard:
        await client.runs.wait(thread, "custom", input={"steps": 1})
        await until_done(heard, runs=1)

    assert names(heard) == ["metadata", "values", "values", "metadata"]


async def test_lifecycle_says_only_that_runs_begin_and_end(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread = await new_thread(client)

    async with following(trial_url, trial_people.ada, thread, "lifecycle") as heard:
        await client.runs.create(thread, "fails", input={"message": "x"}, stream_mode=["updates", "values"])
        await until_done(heard, runs=1)

    assert names(heard) == ["metadata", "metadata"]
    assert heard[1].data["run_status"] == "error"


async def test_a_reconnect_goes_on_after_the_last_event(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread = await new_thread(client)
    async with following(trial_url, trial_people.ada, thread) as heard:
        for _ in range(2):
            await client.runs.create(thread, "talk", input=HELLO, stream_mode=["messages", "values"])
        await until_done(heard, runs=2)

    for seen in range(0, len(heard), 3):
        rest_wanted = [(p.id, p.event, p.data) for p in heard[seen + 1 :]]
        async with following(trial_url, trial_people.ada, thread, last_id=heard[seen].id) as rest:
            await asyncio.sleep(0.2)
        assert [(p.id, p.event, p.data) for p in rest] == rest_wanted


async def test_minus_one_tells_all_that_is_kept(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread = await new_thread(client)
    await client.runs.join(thread, (await client.runs.create(thread, "fails", input={"message": "x"}))["run_id"])

    async with following(trial_url, trial_people.ada, thread, last_id="-1") as heard:
        await until_done(heard, runs=1)

    assert names(heard) == ["metadata", "values", "values", "error", "metadata"]
    assert of(heard, "error")[0]["error"] == "workflow_failed"


@pytest.mark.parametrize("query", ["stream_mode=nonsense", "stream_mode=[", "stream_mode=values"])
async def test_another_thread_mode_is_refused(trial_url: str, trial_people: People, query: str) -> None:
    async with httpx.AsyncClient(base_url=trial_url, headers={"x-api-key": trial_people.ada}) as http:
        thread = (await http.post("/threads", json={})).json()["thread_id"]
        reply = await http.get(f"/threads/{thread}/stream?{query}")
        bad_id = await http.get(f"/threads/{thread}/stream", headers={"Last-Event-ID": "abc"})

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert (bad_id.status_code, bad_id.json()["code"]) == (422, "invalid_request")


async def test_an_unknown_or_foreign_thread_has_no_stream(url: str, people: People, stranger: str) -> None:
    thread = await new_thread(client_of(url, people.ada))

    async with httpx.AsyncClient(base_url=url) as http:
        replies = [
            await http.get(f"/threads/{uuid.uuid4()}/stream", headers={"x-api-key": people.ada}),
            await http.get(f"/threads/{thread}/stream", headers={"x-api-key": stranger}),
            await http.get(f"/threads/{thread}/stream"),
        ]

    assert [reply.status_code for reply in replies] == [404, 404, 401]


async def test_state_written_from_outside_is_told(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread = await new_thread(client)
    await client.runs.wait(thread, "talk", input=HELLO)

    async with following(trial_url, trial_people.ada, thread, "state_update") as heard:
        said: Any = {"messages": [{"role": "user", "content": "and this"}]}
        await client.threads.update_state(thread, said)
        await client.runs.join(thread, (await client.runs.create(thread, "talk", input=HELLO))["run_id"])
        await asyncio.sleep(0.3)

    told = heard[0].data
    assert names(heard) == ["state_update"]
    assert told["thread_id"] == thread
    assert [message["content"] for message in told["state"]["values"]["messages"]][-1] == "and this"
