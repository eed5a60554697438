"""Runs and threads that are joined, cancelled and deleted at once: everybody hears something clear, and soon."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.conftest import People

SOON_S = 8
TEXT: dict[str, Any] = {"text": "three blind mice"}
NOBODY = str(uuid.UUID(int=0))


@pytest.fixture
async def http(trial_url: str, trial_people: People) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"x-api-key": trial_people.ada}
    async with httpx.AsyncClient(base_url=trial_url, headers=headers, timeout=SOON_S) as http:
        yield http


async def begun(http: httpx.AsyncClient, **more: Any) -> str:
    """Path of a run on a thread of its own that takes its time, or waits for its time to come."""
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    asked = {"assistant_id": "slow", "input": {"seconds": 20}, "stream_mode": "values"} | more
    made = await http.post(f"/threads/{thread}/runs", json=asked)
    return str(made.headers["content-location"])


async def running(http: httpx.AsyncClient) -> str:
    path = await begun(http)
    for _ in range(200):
        if (await http.get(path)).json()["status"] == "running":
            return path
        await asyncio.sleep(0.02)
    raise AssertionError(f"{path} was not begun")


async def waits_for(http: httpx.AsyncClient, path: str) -> tuple[int, Any]:
    """How a join ends: with its status and a body that came whole."""
    reply = await http.get(f"{path}/join")
    return reply.status_code, reply.json()


async def streams(http: httpx.AsyncClient, path: str) -> tuple[int, Any]:
    reply = await http.get(f"{path}/stream")
    return reply.status_code, None


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("when", [running, lambda http: begun(http, after_seconds=600)], ids=["running", "delayed"])
async def test_who_joins_a_run_that_others_cancel_at_once_hears_that_it_is_over(
    http: httpx.AsyncClient, action: str, wait: bool, when: Any
) -> None:
    path = await when(http)
    joined = [asyncio.create_task(how(http, path)) for how in (waits_for, waits_for, streams, streams)]
    await asyncio.sleep(0.2)

    cancel = {"wait": wait, "action": action}
    cancelled = [
        r.status_code for r in await asyncio.gather(*(http.post(f"{path}/cancel", params=cancel) for _ in "123"))
    ]
    told = await asyncio.gather(*joined)

    assert {status for status, _ in told} == {200}
    assert all("__error__" not in body for _, body in told if body is not None)
    assert set(cancelled) <= {204 if wait else 202, 404, 409}
    assert min(cancelled) < 300
    left = await http.get(path)
    assert (left.status_code, left.json().get("status")) == (
        (404, 404) if action == "rollback" else (200, "interrupted")
    )
    thread = path.split("/runs/")[0]
    again = await http.post(f"{thread}/runs/wait", json={"assistant_id": "slow", "input": {"seconds": 0}})
    assert again.json()["summary"] == "waited 0 s"


Answer = tuple[int, str]


async def said(reply: httpx.Response) -> Answer:
    return reply.status_code, reply.json()["code"] if reply.status_code >= 400 else ""


async def test_what_cannot_be_cancelled_joined_or_deleted_is_refused(http: httpx.AsyncClient) -> None:
    under_way, over, gone = await running(http), await begun(http, input={"seconds": 0}), await begun(http)
    await http.get(f"{over}/join")
    await http.post(f"{gone}/cancel", params={"wait": True, "action": "rollback"})
    thread = under_way.split("/runs/")[0]
    missing = f"{thread}/runs/{NOBODY}"
    calls: dict[tuple[str, str], Answer] = {
        ("DELETE", under_way): (409, "thread_busy"),
        ("DELETE", thread): (409, "thread_busy"),
        ("POST", f"{thread}/copy"): (409, "thread_busy"),
        ("POST", f"{over}/cancel"): (409, "thread_busy"),
        ("POST", f"{over}/cancel?action=rollback&wait=true"): (409, "thread_busy"),
    }
    for path in (gone, missing):
        for verb, end in (("GET", "/join"), ("GET", "/stream"), ("GET", ""), ("POST", "/cancel"), ("DELETE", "")):
            calls[verb, path + end] = (404, "not_found")

    answers = {(verb, path): await said(await http.request(verb, path)) for verb, path in calls}
    await http.post(f"{under_way}/cancel")

    assert answers == calls


async def test_who_reads_a_thread_that_is_deleted_hears_its_end(http: httpx.AsyncClient) -> None:
    path = await begun(http, input={"seconds": 0})
    await http.get(f"{path}/join")
    thread = path.split("/runs/")[0]
    protocol = {"channels": ["values"]}
    readers = [
        asyncio.create_task(http.get(f"{thread}/stream")),
        asyncio.create_task(http.post(f"{thread}/stream/events", json=protocol)),
    ]
    await asyncio.sleep(0.5)

    deleted = await http.delete(thread)
    replies = await asyncio.wait_for(asyncio.gather(*readers), SOON_S)

    assert [deleted.status_code, *(reply.status_code for reply in replies)] == [204, 200, 200]


async def test_a_run_that_acted_keeps_no_other_from_being_rolled_back(http: httpx.AsyncClient) -> None:
    acting = await begun(http, assistant_id="counting", input={"case": str(uuid.uuid4()), "effects": 24})
    others = [await begun(http, after_seconds=600) for _ in range(2)]
    effects = {"thread_id": acting.split("/")[2]}
    for _ in range(2_000):
        if (await http.get("/effects", params=effects)).json():
            break
        await asyncio.sleep(0.01)
    ids = [path.split("/")[-1] for path in (acting, *others)]

    reply = await http.post("/runs/cancel", params={"action": "rollback"}, json={"run_ids": ids})

    assert await said(reply) == (409, "cannot_roll_back")
    assert [(await http.get(path)).status_code for path in (acting, *others)] == [200, 404, 404]
