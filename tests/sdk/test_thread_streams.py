"""The streams of the threads' client: what its runs do, and the event stream protocol with its commands."""

import asyncio
from typing import Any

from langgraph_sdk.client import LangGraphClient

from tests.sdk.test_runs import SUMMARY, TEXT
from tests.streaming import HELLO, names, new_thread


async def test_the_runs_of_a_thread_are_followed(client: LangGraphClient) -> None:
    thread = await new_thread(client)
    stream = await client.threads.join_stream(thread, stream_mode=["run_modes", "lifecycle"], last_event_id="-1")
    heard: list[Any] = []

    async def listen() -> None:
        async for part in stream:
            heard.append(part)
            if part.event == "metadata" and part.data.get("status") == "run_done":
                return

    listening = asyncio.create_task(listen())
    await client.runs.create(thread, "three_stages", input=TEXT, stream_mode="updates")
    await asyncio.wait_for(listening, 20)

    assert [name for name in names(heard) if name != "metadata"].count("updates") == 3


async def test_a_run_is_started_and_its_output_awaited(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="talk", run_start_timeout=10) as thread:
        await thread.run.start(input=HELLO)
        messages = [message async for message in thread.messages]
        output = await thread.output

    assert ["".join([piece async for piece in message.text]) for message in messages] == ["You said: hello there"]
    assert output["messages"][-1]["content"] == "You said: hello there"


async def test_a_run_is_started_on_a_thread_that_exists(client: LangGraphClient) -> None:
    existing = await new_thread(client)

    async with client.threads.stream(existing, assistant_id="three_stages") as thread:
        await thread.run.start(input=TEXT, config={"tags": ["t"]}, metadata={"a": 1})
        values = [value async for value in thread.values]

    assert values[-1]["summary"] == SUMMARY
    assert (await client.runs.list(existing))[0]["metadata"] == {"a": 1}


async def test_a_question_is_answered(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="question") as thread:
        await thread.run.start(input={"topic": "tea"})
        while not thread.interrupted:  # noqa: ASYNC110  # the client tells it by nothing else
            await asyncio.sleep(0.02)
        (asked,) = thread.interrupts
        await thread.run.respond({"text": "with milk"}, interrupt_id=asked["interrupt_id"])
        output = await thread.output

    assert asked["value"]["question"] == "What about tea?"
    assert output["summary"] == "tea: with milk"
