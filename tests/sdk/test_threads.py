"""Every method of the threads' client but those about state and streams."""

import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError
from langgraph_sdk.schema import Thread

from tests.sdk.shapes import require_fit


async def marked(client: LangGraphClient, mark: dict[str, Any], *texts: str) -> list[str]:
    """Threads of ended runs, one for each text."""
    made = []
    for text in texts:
        thread = (await client.threads.create(metadata=mark))["thread_id"]
        await client.runs.wait(thread, "three_stages", input={"text": text})
        made.append(thread)
    return made


async def test_a_thread_is_made_with_all_there_is_to_say(client: LangGraphClient) -> None:
    wanted = str(uuid.uuid4())
    made = await client.threads.create(
        thread_id=wanted, metadata={"a": 1}, if_exists="raise", graph_id="slow", ttl={"ttl": 60, "strategy": "delete"}
    )
    read: Any = await client.threads.get(wanted, include=["ttl"])

    require_fit(made, Thread)
    require_fit(read, Thread)
    assert (made["thread_id"], made["status"]) == (wanted, "idle")
    assert made["metadata"] == {"a": 1, "graph_id": "slow"}
    assert read["ttl"]["ttl_minutes"] == 60


async def test_a_thread_is_made_once(client: LangGraphClient) -> None:
    thread = (await client.threads.create(metadata={"a": 1}))["thread_id"]

    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread)
    same = await client.threads.create(thread_id=thread, if_exists="do_nothing", metadata={"b": 2})

    assert same["metadata"] == {"a": 1}


async def test_a_thread_is_changed(client: LangGraphClient) -> None:
    made = await client.threads.create(metadata={"a": 1})
    thread = made["thread_id"]

    changed = await client.threads.update(thread, metadata={"b": 2}, ttl=30)
    nothing = await client.threads.update(thread, metadata={"c": 3}, return_minimal=True)

    require_fit(changed, Thread)
    assert (changed or made)["metadata"] == {"a": 1, "b": 2}
    assert nothing is None
    assert (await client.threads.get(thread))["metadata"] == {"a": 1, "b": 2, "c": 3}


async def test_a_deleted_thread_is_gone(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]

    await client.threads.delete(thread)

    with pytest.raises(NotFoundError):
        await client.threads.get(thread)


async def test_threads_are_searched_and_counted(client: LangGraphClient) -> None:
    mark = {"mark": uuid.uuid4().hex}
    threads = await marked(client, mark, "one two", "one", "one")

    found = await client.threads.search(
        metadata=mark, status="idle", limit=2, offset=1, sort_by="created_at", sort_order="asc"
    )
    one = {"text": "one"}
    fitting = await client.threads.search(metadata=mark, values=one, ids=threads[:2])
    count = await client.threads.count(metadata=mark, values=one, status="idle")

    require_fit(found, list[Thread])
    assert [thread["thread_id"] for thread in found] == threads[1:]
    assert [thread["thread_id"] for thread in fitting] == threads[1:2]
    assert count == 2


async def test_parts_of_threads_are_shown(client: LangGraphClient) -> None:
    mark = {"mark": uuid.uuid4().hex}
    threads = await marked(client, mark, "one two")

    found: Any = await client.threads.search(
        metadata=mark, select=["thread_id", "status"], extract={"said": "values.text", "none": "values.nothing[0]"}
    )

    assert found == [{"thread_id": threads[0], "status": "idle", "extracted": {"said": "one two", "none": None}}]


async def test_a_copied_thread_has_the_state(client: LangGraphClient) -> None:
    (thread,) = await marked(client, {}, "one two")

    copied: Any = await client.threads.copy(thread)

    require_fit(copied, Thread)
    assert copied["thread_id"] != thread
    assert copied["values"] == (await client.threads.get(thread))["values"]
    assert len(await client.threads.get_history(copied["thread_id"])) == len(await client.threads.get_history(thread))


async def test_threads_are_pruned(client: LangGraphClient) -> None:
    kept, gone = await marked(client, {}, "one", "two")
    before = await client.threads.get_state(kept)

    newest = await client.threads.prune([kept], strategy="keep_latest")
    deleted = await client.threads.prune([gone, str(uuid.uuid4())], strategy="delete")

    assert (newest["pruned_count"], deleted["pruned_count"]) == (1, 1)
    assert (await client.threads.get_state(kept))["values"] == before["values"]
    assert len(await client.threads.get_history(kept)) == 1
    with pytest.raises(NotFoundError):
        await client.threads.get(gone)
