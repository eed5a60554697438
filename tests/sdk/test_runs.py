"""Every method of the runs' client, on a thread and without one."""

import asyncio
import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Run

from tests.sdk.shapes import require_fit
from tests.streaming import names, new_thread, parts

TEXT = {"text": "one two"}
SUMMARY = "2 words, 6 letters"


async def until(client: LangGraphClient, thread: str, run: str, *statuses: str) -> Run:
    """The run, once it has one of these statuses."""
    for _ in range(200):
        found = await client.runs.get(thread, run)
        if found["status"] in statuses:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"run {run} is not {statuses}")


async def slow_run(client: LangGraphClient, **how: Any) -> tuple[str, str]:
    """Thread and run of a run that takes long."""
    thread = await new_thread(client)
    return thread, (await client.runs.create(thread, "slow", input={"seconds": 20}, **how))["run_id"]


async def test_a_run_is_created_read_listed_and_joined(client: LangGraphClient) -> None:
    thread = await new_thread(client)

    made = await client.runs.create(thread, "three_stages", input=TEXT)
    joined: Any = await client.runs.join(thread, made["run_id"])
    read = await client.runs.get(thread, made["run_id"])
    listed = await client.runs.list(thread, limit=5, offset=0, status="success")
    part: Any = await client.runs.list(thread, select=["run_id", "kwargs"])

    require_fit(made, Run)
    require_fit(read, Run)
    assert (made["status"], read["status"], joined["summary"]) == ("pending", "success", SUMMARY)
    assert listed == [read]
    assert [set(run) for run in part] == [{"run_id", "kwargs"}]
    assert await client.runs.list(thread, status="error") == []


async def test_a_run_without_a_thread_leaves_none_that_is_listed(client: LangGraphClient) -> None:
    heard: list[Any] = []

    result: Any = await client.runs.wait(None, "three_stages", input=TEXT, on_run_created=heard.append)
    kept: Any = await client.runs.wait(
        None, "three_stages", input=TEXT, on_run_created=heard.append, on_completion="keep"
    )

    assert result["summary"] == kept["summary"] == SUMMARY
    found = [await client.threads.search(ids=[run["thread_id"]]) for run in heard]
    assert [[thread["status"] for thread in threads] for threads in found] == [[], ["idle"]]


async def test_a_run_without_a_thread_is_created_or_streamed(client: LangGraphClient) -> None:
    made = await client.runs.create(None, "three_stages", input=TEXT, on_completion="keep")
    stream = await parts(client.runs.stream(None, "three_stages", input=TEXT, on_completion="delete"))

    require_fit(made, Run)
    assert (await until(client, made["thread_id"], made["run_id"], "success"))["metadata"] == {}
    assert stream[-1].data["summary"] == SUMMARY


async def test_a_batch_is_many_runs(client: LangGraphClient) -> None:
    payloads: Any = [{"assistant_id": "three_stages", "input": {"text": text}} for text in ("a", "b", "c")]

    runs = await client.runs.create_batch(payloads)

    require_fit(runs, list[Run])
    assert len({run["thread_id"] for run in runs}) == 3


async def test_a_stream_is_joined(client: LangGraphClient) -> None:
    thread = await new_thread(client)
    whole = await parts(client.runs.stream(thread, "three_stages", input=TEXT, stream_mode=["values", "updates"]))
    run = whole[0].data["run_id"]

    again = await parts(client.runs.join_stream(thread, run, cancel_on_disconnect=False))
    rest = await parts(client.runs.join_stream(thread, run, last_event_id=whole[2].id))
    updates = await parts(client.runs.join_stream(thread, run, stream_mode="updates"))

    assert again == whole
    assert rest == whole[3:]
    assert names(updates) == ["metadata"] + ["updates"] * 3


async def test_a_stream_says_what_it_is_in_version_two(client: LangGraphClient) -> None:
    thread = await new_thread(client)

    stream: Any = client.runs.stream(
        thread, "nested", input={"number": 2}, stream_mode=["values", "updates"], stream_subgraphs=True, version="v2"
    )
    told = [part async for part in stream]

    assert told[0]["type"] == "metadata"
    assert {(part["type"], len(part["ns"])) for part in told[1:]} == {
        (t, n) for t in ("values", "updates") for n in (0, 1)
    }
    assert told[-1]["interrupts"] == []


async def test_a_run_is_cancelled(client: LangGraphClient) -> None:
    thread, run = await slow_run(client)

    await client.runs.cancel(thread, run, wait=True, action="interrupt")
    ended = await client.runs.get(thread, run)

    require_fit(ended, Run)
    assert ended["status"] == "interrupted"
    assert (await client.threads.get(thread))["status"] != "busy"


async def test_a_run_is_rolled_back(client: LangGraphClient) -> None:
    thread, run = await slow_run(client)
    await until(client, thread, run, "running")

    await client.runs.cancel(thread, run, wait=True, action="rollback")

    with pytest.raises(NotFoundError):
        await client.runs.get(thread, run)
    assert await client.threads.get_history(thread) == []


async def test_many_runs_are_cancelled(client: LangGraphClient) -> None:
    (thread, run), (other, another) = await slow_run(client), await slow_run(client)

    await client.runs.cancel_many(thread_id=thread, run_ids=[run], action="interrupt")
    await until(client, thread, run, "interrupted")
    standing = (await client.runs.get(other, another))["status"]
    await client.runs.cancel_many(status="all")

    assert standing in ("pending", "running")
    await until(client, other, another, "interrupted")


async def test_a_deleted_run_is_gone(client: LangGraphClient) -> None:
    thread = await new_thread(client)
    await client.runs.wait(thread, "three_stages", input=TEXT)
    run = (await client.runs.list(thread))[0]["run_id"]

    await client.runs.delete(thread, run)

    with pytest.raises(NotFoundError):
        await client.runs.get(thread, run)
    assert await client.runs.list(thread) == []


async def test_a_failure_is_raised_or_returned(client: LangGraphClient) -> None:
    thread = await new_thread(client)

    with pytest.raises(Exception, match=r"^workflow_failed: "):
        await client.runs.wait(thread, "fails", input={"message": "as it should"})
    told: Any = await client.runs.wait(thread, "fails", input={"message": "as it should"}, raise_error=False)

    assert set(told["__error__"]) >= {"error", "message"}
    assert (await client.threads.get(thread))["status"] == "error"


async def test_a_missing_thread_is_made_where_that_was_said(client: LangGraphClient) -> None:
    thread = str(uuid.uuid4())

    with pytest.raises(NotFoundError):
        await client.runs.create(str(uuid.uuid4()), "three_stages", input=TEXT, if_not_exists="reject")
    run = await client.runs.create(thread, "three_stages", input=TEXT, if_not_exists="create")
    waited: Any = await client.runs.wait(str(uuid.uuid4()), "three_stages", input=TEXT, if_not_exists="create")
    stream = client.runs.stream(str(uuid.uuid4()), "three_stages", input=TEXT, if_not_exists="create")

    assert (run["thread_id"], waited["summary"]) == (thread, SUMMARY)
    assert names(await parts(stream))[-1] == "values"
