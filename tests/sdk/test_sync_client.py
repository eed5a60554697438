"""A sample of the client without async; it sends the same requests."""

from typing import Any

import pytest
from langgraph_sdk.client import SyncLangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Assistant, Cron, Item, Run, Thread, ThreadState

from tests.sdk.shapes import require_fit
from tests.sdk.test_runs import SUMMARY, TEXT


def test_a_run_from_thread_to_state(sync: SyncLangGraphClient) -> None:
    thread = sync.threads.create(metadata={"a": 1})
    stream = list(sync.runs.stream(thread["thread_id"], "three_stages", input=TEXT, stream_mode="updates"))
    run = sync.runs.get(thread["thread_id"], stream[0].data["run_id"])
    state = sync.threads.get_state(thread["thread_id"])

    require_fit(thread, Thread)
    require_fit(run, Run)
    require_fit(state, ThreadState)
    assert [part.event for part in stream] == ["metadata"] + ["updates"] * 3
    assert sync.runs.join(thread["thread_id"], run["run_id"])["summary"] == SUMMARY
    assert list(sync.runs.join_stream(thread["thread_id"], run["run_id"])) == stream


def test_a_question_is_answered(sync: SyncLangGraphClient) -> None:
    thread = sync.threads.create()["thread_id"]
    asked: Any = sync.runs.wait(thread, "question", input={"topic": "tea"})

    answer: Any = {"resume": {asked["__interrupt__"][0]["id"]: {"text": "with milk"}}}
    result: Any = sync.runs.wait(thread, "question", command=answer)

    assert result["summary"] == "tea: with milk"


def test_the_other_clients(sync: SyncLangGraphClient) -> None:
    found: Any = sync.assistants.search(graph_id="slow", limit=1)
    sync.store.put_item(["sdk", "sync"], "k", {"a": 1})
    item = sync.store.get_item(["sdk", "sync"], "k")
    made: Any = sync.crons.create("slow", schedule="0 0 1 1 *", input={"seconds": 0})
    sync.crons.delete(made["cron_id"])

    require_fit(found, list[Assistant])
    require_fit(item, Item)
    require_fit(made, Cron)
    with pytest.raises(NotFoundError):
        sync.crons.update(made["cron_id"], enabled=False)


def test_the_stream_of_a_thread(sync: SyncLangGraphClient) -> None:
    with sync.threads.stream(assistant_id="three_stages") as thread:
        thread.run.start(input=TEXT)

        assert thread.output["summary"] == SUMMARY
