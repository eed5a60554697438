"""Every method of the crons' client."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Cron

from tests.sdk.shapes import require_fit

YEARLY = "0 0 1 1 *"
END = datetime(2999, 1, 1, tzinfo=UTC)


async def test_a_cron_is_made_with_all_there_is_to_say(client: LangGraphClient) -> None:
    made: Any = await client.crons.create(
        "slow", schedule=YEARLY, input={"seconds": 0}, metadata={"a": 1}, config={"tags": ["t"]}, context={"b": 2},
        interrupt_before=["wait"], interrupt_after=["begin"], on_run_completed="keep",
        multitask_strategy="enqueue", end_time=END, enabled=False, timezone="Europe/Berlin", stream_mode=["values"],
        stream_subgraphs=True, stream_resumable=True, durability="sync",
    )  # fmt: skip

    require_fit(made, Cron)
    assert (made["thread_id"], made["on_run_completed"], made["enabled"]) == (None, "keep", False)
    assert (made["schedule"], made["timezone"], made["metadata"]) == (YEARLY, "Europe/Berlin", {"a": 1})
    assert made["payload"]["input"] == {"seconds": 0}
    assert made["payload"]["interrupt_before"] == ["wait"]


async def test_a_cron_of_a_thread_is_made_with_all_there_is_to_say(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    made: Any = await client.crons.create_for_thread(
        thread, "slow", schedule=YEARLY, input={"seconds": 0}, metadata={"a": 1}, config={"tags": ["t"]},
        context={"b": 2}, interrupt_before=["wait"], interrupt_after=["begin"],
        multitask_strategy="interrupt", end_time=END, enabled=True, timezone="UTC", stream_mode="values",
        stream_subgraphs=False, stream_resumable=False, durability="sync",
    )  # fmt: skip

    require_fit(made, Cron)
    assert (made["thread_id"], made["payload"]["multitask_strategy"]) == (thread, "interrupt")


async def test_a_cron_is_changed_and_deleted(client: LangGraphClient) -> None:
    cron: Any = await client.crons.create("slow", schedule=YEARLY, input={"seconds": 0})
    changed = await client.crons.update(
        cron["cron_id"], schedule="0 0 2 1 *", end_time=END, input={"seconds": 1}, metadata={"b": 1},
        config={"tags": ["t"]}, context={"c": 2}, interrupt_before="*", interrupt_after=["begin"],
        on_run_completed="delete", enabled=True, timezone="Europe/Berlin", stream_mode="updates",
        stream_subgraphs=True, stream_resumable=True, durability="sync",
    )  # fmt: skip
    await client.crons.delete(cron["cron_id"])

    require_fit(changed, Cron)
    assert (changed["schedule"], changed["payload"]["input"]) == ("0 0 2 1 *", {"seconds": 1})
    with pytest.raises(NotFoundError):
        await client.crons.update(cron["cron_id"], enabled=False)


async def test_crons_are_searched_and_counted(client: LangGraphClient) -> None:
    mark = {"mark": uuid.uuid4().hex}
    thread = (await client.threads.create())["thread_id"]
    for day in (3, 1, 2):
        await client.crons.create_for_thread(
            thread, "slow", schedule=f"0 0 {day} 1 *", metadata=mark, input={"seconds": 0}
        )

    found = await client.crons.search(
        assistant_id="slow", thread_id=thread, enabled=True, metadata=mark, limit=2, offset=1, sort_by="next_run_date",
        sort_order="asc",
    )  # fmt: skip
    ids: Any = await client.crons.search(metadata=mark, select=["cron_id"])

    require_fit(found, list[Cron])
    assert [cron["schedule"] for cron in found] == ["0 0 2 1 *", "0 0 3 1 *"]
    assert [list(cron) for cron in ids] == [["cron_id"]] * 3
    assert await client.crons.count(assistant_id="slow", thread_id=thread, metadata=mark) == 3


async def test_what_is_deprecated_is_taken(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    what: Any = {"schedule": YEARLY, "input": {"seconds": 0}}

    with pytest.warns(DeprecationWarning, match="durability"):
        one: Any = await client.crons.create("slow", checkpoint_during=True, **what)
    with pytest.warns(DeprecationWarning, match="durability"):
        other: Any = await client.crons.create_for_thread(thread, "slow", checkpoint_during=True, **what)

    assert one["cron_id"] != other["cron_id"]
