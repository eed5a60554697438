"""Every option of `runs.create`, `runs.wait` and `runs.stream`."""

import asyncio
import time
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.sdk.test_runs import SUMMARY, TEXT, slow_run, until
from tests.streaming import HELLO, names, new_thread, of, parts

HOW: Any = {"tags": ["night"], "recursion_limit": 9, "configurable": {"tone": "kind"}}
TRACING: Any = {"project_name": "elsewhere"}


async def test_what_was_said_of_a_run_stands_in_it(client: LangGraphClient) -> None:
    thread, heard = await new_thread(client), list[Any]()

    await client.runs.create(
        thread, "three_stages", input=TEXT, metadata={"a": 1}, config=HOW, context={"b": 2}, stream_mode="updates",
        stream_subgraphs=True, stream_resumable=True, on_completion="keep", langsmith_tracing=TRACING,
        durability="sync", on_run_created=heard.append, strict_resume=True,
    )  # fmt: skip
    await client.runs.wait(
        thread, "three_stages", input=TEXT, metadata={"a": 1}, config=HOW, context={"b": 2}, langsmith_tracing=TRACING,
        on_run_created=heard.append, durability="sync", strict_resume=True,
    )  # fmt: skip
    stream = client.runs.stream(
        thread, "three_stages", input=TEXT, metadata={"a": 1}, config=HOW, context={"b": 2}, stream_resumable=True,
        feedback_keys=["useful"], langsmith_tracing=TRACING, on_run_created=heard.append, durability="sync",
        strict_resume=True,
    )  # fmt: skip
    assert names(await parts(stream))[-1] == "values"

    runs: list[Any] = await client.runs.list(thread)
    assert [run["run_id"] for run in reversed(runs)] == [run["run_id"] for run in heard]
    assert {run["thread_id"] for run in heard} == {thread}
    assert [run["metadata"] for run in runs] == [{"a": 1}] * 3
    assert [run["kwargs"]["config"]["tags"] for run in runs] == [["night"]] * 3
    assert [run["kwargs"]["context"] for run in runs] == [{"b": 2}] * 3


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_any_durability_is_taken_where_nothing_is_done_outside(client: LangGraphClient, durability: Any) -> None:
    thread = await new_thread(client)

    result: Any = await client.runs.wait(thread, "three_stages", input=TEXT, durability=durability)

    assert result["summary"] == SUMMARY


async def test_what_is_deprecated_is_taken(client: LangGraphClient) -> None:
    thread = await new_thread(client)

    with pytest.warns(DeprecationWarning, match="durability"):
        await client.runs.create(thread, "three_stages", input=TEXT, checkpoint_during=True)
    with pytest.warns(DeprecationWarning, match="durability"):
        result: Any = await client.runs.wait(thread, "three_stages", input=TEXT, checkpoint_during=False)
    with pytest.warns(DeprecationWarning, match="durability"):
        stream = client.runs.stream(thread, "three_stages", input=TEXT, checkpoint_during=True)

    assert result["summary"] == SUMMARY
    assert names(await parts(stream))[-1] == "values"


async def test_a_run_stops_before_and_after_stages_and_goes_on(client: LangGraphClient) -> None:
    thread = await new_thread(client)

    before: Any = await client.runs.wait(thread, "three_stages", input=TEXT, interrupt_before=["count_letters"])
    stood = (await client.threads.get_state(thread))["next"]
    after = await client.runs.create(thread, "three_stages", interrupt_after="*")
    await client.runs.join(thread, after["run_id"])
    then = (await client.threads.get_state(thread))["next"]
    stream = client.runs.stream(thread, "three_stages", interrupt_before=[], interrupt_after=["sum_up"])

    assert "summary" not in before
    assert (stood, then) == (["count_letters"], ["sum_up"])
    assert (await client.runs.get(thread, after["run_id"]))["status"] == "interrupted"
    assert (await parts(stream))[-1].data["summary"] == SUMMARY


async def test_stages_to_stop_at_can_be_said_to_every_verb(client: LangGraphClient) -> None:
    thread = await new_thread(client)

    run = await client.runs.create(thread, "three_stages", input=TEXT, interrupt_before="*")
    await client.runs.join(thread, run["run_id"])
    await client.runs.wait(thread, "three_stages", interrupt_after=["count_words"])

    assert (await client.threads.get_state(thread))["next"] == ["count_letters"]


async def test_a_run_starts_again_from_a_checkpoint(client: LangGraphClient) -> None:
    thread = await new_thread(client)
    await client.runs.wait(thread, "three_stages", input=TEXT)
    earlier = (await client.threads.get_history(thread))[2]["checkpoint"]
    named = str(earlier["checkpoint_id"])

    run = await client.runs.create(thread, "three_stages", checkpoint_id=named, checkpoint=earlier)
    await client.runs.join(thread, run["run_id"])
    waited: Any = await client.runs.wait(thread, "three_stages", checkpoint_id=named)
    other: Any = await client.runs.wait(thread, "three_stages", checkpoint=earlier)
    config: Any = {"configurable": {"checkpoint_id": named}}
    configured: Any = await client.runs.wait(thread, "three_stages", config=config)
    streamed = await parts(client.runs.stream(thread, "three_stages", checkpoint_id=named, stream_mode="updates"))
    again = await parts(client.runs.stream(thread, "three_stages", checkpoint=earlier, stream_mode="updates"))

    assert waited["summary"] == other["summary"] == configured["summary"] == SUMMARY
    assert [list(update) for update in of(streamed, "updates")] == [["count_letters"], ["sum_up"]]
    assert of(again, "updates") == of(streamed, "updates")


@pytest.mark.parametrize("verb", ["create", "wait", "stream"])
async def test_a_question_is_answered_by_a_command(client: LangGraphClient, verb: str) -> None:
    thread = await new_thread(client)
    asked: Any = await client.runs.wait(thread, "question", input={"topic": "tea"})
    command: Any = {"resume": {asked["__interrupt__"][0]["id"]: {"text": "with milk"}}}

    if verb == "create":
        run = await client.runs.create(thread, "question", command=command)
        result: Any = await client.runs.join(thread, run["run_id"])
    elif verb == "wait":
        result = await client.runs.wait(thread, "question", command=command)
    else:
        result = (await parts(client.runs.stream(thread, "question", command=command)))[-1].data

    assert result["summary"] == "tea: with milk"


async def test_state_is_updated_and_a_stage_gone_to(client: LangGraphClient) -> None:
    thread = await new_thread(client)
    await client.runs.wait(thread, "three_stages", input=TEXT)

    command: Any = {"update": {"words": 40}, "goto": "sum_up"}
    result: Any = await client.runs.wait(thread, "three_stages", command=command)

    assert result["summary"] == "40 words, 6 letters"


async def test_reject_refuses_a_run_while_another_goes_on(client: LangGraphClient) -> None:
    thread, run = await slow_run(client, multitask_strategy="reject")

    with pytest.raises(ConflictError):
        await client.runs.create(thread, "slow", input={"seconds": 0}, multitask_strategy="reject")

    await client.runs.cancel(thread, run)


async def test_enqueue_lets_a_run_wait_for_another(client: LangGraphClient) -> None:
    thread = await new_thread(client)
    first = await client.runs.create(thread, "slow", input={"seconds": 0.3}, multitask_strategy="enqueue")

    result: Any = await client.runs.wait(thread, "slow", input={"seconds": 0}, multitask_strategy="enqueue")

    assert result["summary"] == "waited 0 s"
    assert (await client.runs.get(thread, first["run_id"]))["status"] == "success"


async def test_a_run_is_taken_while_another_ends(client: LangGraphClient) -> None:
    for _ in range(20):
        thread = await new_thread(client)
        await client.runs.create(thread, "three_stages", input=TEXT)
        result: Any = await client.runs.wait(thread, "three_stages", input=TEXT)

        assert result["summary"] == SUMMARY
    runs = await client.runs.list(thread)
    assert [run["status"] for run in runs] == ["success"] * 2


async def test_interrupt_stops_the_run_in_the_way(client: LangGraphClient) -> None:
    thread, first = await slow_run(client)
    await until(client, thread, first, "running")

    stream = client.runs.stream(thread, "slow", input={"seconds": 0}, multitask_strategy="interrupt")

    assert "summary" in (await parts(stream))[-1].data
    assert (await client.runs.get(thread, first))["status"] == "interrupted"


async def test_rollback_forgets_the_run_in_the_way(client: LangGraphClient) -> None:
    thread, first = await slow_run(client)
    await until(client, thread, first, "running")

    await client.runs.wait(thread, "slow", input={"seconds": 0}, multitask_strategy="rollback")

    with pytest.raises(NotFoundError):
        await client.runs.get(thread, first)


async def test_a_run_starts_later(client: LangGraphClient) -> None:
    begun = time.monotonic()
    results: Any = await asyncio.gather(
        client.runs.wait(None, "three_stages", input=TEXT, after_seconds=1),
        parts(client.runs.stream(None, "three_stages", input=TEXT, after_seconds=1)),
    )
    took = time.monotonic() - begun
    late = await client.runs.create(await new_thread(client), "three_stages", input=TEXT, after_seconds=600)

    assert (results[0]["summary"], results[1][-1].data["summary"]) == (SUMMARY, SUMMARY)
    assert took >= 1
    assert (await client.runs.get(late["thread_id"], late["run_id"]))["status"] == "pending"


async def test_hanging_up_cancels_or_does_not(client: LangGraphClient) -> None:
    ended = {}
    for on_disconnect in ("cancel", "continue"):
        thread = await new_thread(client)
        wait = client.runs.wait(thread, "slow", input={"seconds": 2}, on_disconnect=on_disconnect)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait, 1)
        run = (await client.runs.list(thread))[0]["run_id"]
        ended[on_disconnect] = (await until(client, thread, run, "interrupted", "success"))["status"]

    assert ended == {"cancel": "interrupted", "continue": "success"}


async def test_leaving_a_stream_is_allowed(client: LangGraphClient) -> None:
    stream = client.runs.stream(None, "talk", input=HELLO, on_disconnect="cancel", stream_mode="messages-tuple")

    assert names(await parts(stream)).count("messages") > 3
