"""Streams that are cut, joined again, joined late, from another server, or left."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from commands.serving import free_port
from tests.cases import client_of
from tests.conftest import People, Site, running, wait_until_up
from tests.integration.test_sdk import claim_of
from tests.streaming import HELLO, names, new_thread, of, parts, read_until_cut, streamed

WHOLE = 10**9


@pytest.fixture(scope="module")
def other_url(trial_site: Site, trial_people: People) -> Iterator[str]:
    """A second server over the same database, without a worker."""
    port = free_port()
    with running(trial_site, "serve", "--port", str(port), GATEHOUSE_WORKER="false"):
        wait_until_up(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def trial_http(trial_url: str, trial_people: People) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"x-api-key": trial_people.ada}
    async with httpx.AsyncClient(base_url=trial_url, headers=headers, timeout=30) as http:
        yield http


async def started(url: str, key: str, workflow: str, value: dict[str, Any], modes: Any, **how: Any) -> tuple[str, str]:
    """Thread and run of a run that goes on."""
    client = client_of(url, key)
    thread = await new_thread(client)
    run = await client.runs.create(thread, workflow, input=value, stream_mode=modes, **how)
    return thread, run["run_id"]


async def test_a_stream_cut_twenty_times_is_the_uncut_one(
    trial_url: str, trial_people: People, trial_http: httpx.AsyncClient
) -> None:
    value = {"ticks": 40, "pause_s": 0.02}
    thread, run = await started(trial_url, trial_people.ada, "ticker", value, ["values", "custom", "tasks"])
    path, chance = f"/threads/{thread}/runs/{run}/stream", random.Random(7)
    uncut = asyncio.create_task(read_until_cut(trial_http, path, "-1", WHOLE))

    pieced: list[tuple[str, str, str]] = []
    for _ in range(20):
        last_id = pieced[-1][0] if pieced else "-1"
        pieced += await read_until_cut(trial_http, path, last_id, chance.randrange(3_000))
    pieced += await read_until_cut(trial_http, path, pieced[-1][0] if pieced else "-1", WHOLE)

    assert pieced == await uncut == await read_until_cut(trial_http, path, "-1", WHOLE)
    assert [name for _, name, _ in pieced].count("custom") == 120
    numbers = [int(number) for number, _, _ in pieced]
    assert numbers == sorted(set(numbers))


async def test_growing_messages_go_on_where_they_were_cut(
    trial_url: str, trial_people: People, trial_http: httpx.AsyncClient
) -> None:
    thread, run = await started(trial_url, trial_people.ada, "talk", HELLO, ["messages", "values"])
    path = f"/threads/{thread}/runs/{run}/stream"
    uncut = await read_until_cut(trial_http, path, "", WHOLE)

    for seen in range(len(uncut)):
        rest = await read_until_cut(trial_http, path, uncut[seen][0], WHOLE)
        assert rest == uncut[seen + 1 :]


async def test_another_server_streams_a_run(trial_url: str, other_url: str, trial_people: People) -> None:
    thread, run = await started(
        trial_url, trial_people.ada, "ticker", {"ticks": 10, "pause_s": 0.02}, ["custom", "updates"]
    )

    there = await parts(client_of(other_url, trial_people.ada).runs.join_stream(thread, run))
    here = await parts(client_of(trial_url, trial_people.ada).runs.join_stream(thread, run))

    assert [(p.event, p.data, p.id) for p in there] == [(p.event, p.data, p.id) for p in here]
    assert of(there, "custom") == [{"tick": number} for number in range(1, 31)]


async def test_a_run_is_begun_on_one_server_and_carried_by_another(
    other_url: str, trial_url: str, trial_people: People
) -> None:
    stream = await streamed(other_url, trial_people.ada, "talk", HELLO, "messages-tuple")

    assert "".join(piece["content"] for piece, _ in of(stream, "messages")) == "You said: hello there"


async def test_only_modes_asked_for_are_joined(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread, run = await started(trial_url, trial_people.ada, "talk", HELLO, ["values", "updates", "messages"])

    updates = await parts(client.runs.join_stream(thread, run, stream_mode="updates"))
    two = await parts(client.runs.join_stream(thread, run, stream_mode=["values", "messages-tuple"]))

    assert names(updates) == ["metadata", "updates"]
    assert set(names(two)) == {"metadata", "values", "messages"}


async def test_a_run_nobody_asked_to_stream_keeps_nothing(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread = await new_thread(client)
    await client.runs.wait(thread, "custom", input={"steps": 3})
    run = (await client.runs.list(thread))[0]["run_id"]

    assert names(await parts(client.runs.join_stream(thread, run))) == ["metadata"]


async def test_a_failure_is_told_once(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread, run = await started(trial_url, trial_people.ada, "fails", {"message": "x"}, "updates")
    whole = await parts(client.runs.join_stream(thread, run))

    before = await parts(client.runs.join_stream(thread, run, last_event_id=whole[-2].id))
    after = await parts(client.runs.join_stream(thread, run, last_event_id=whole[-1].id))

    assert names(before) == ["error"]
    assert after == []


async def test_leaving_a_stream_cancels_where_that_was_said(trial_url: str, trial_people: People) -> None:
    client, ended = client_of(trial_url, trial_people.ada), {}
    for on_disconnect in ("cancel", "continue"):
        thread = await new_thread(client)
        stream = client.runs.stream(
            thread, "slow", input={"seconds": 1.5}, stream_mode="values", on_disconnect=on_disconnect
        )
        async for part in stream:
            if part.event == "values":
                break
        await stream.aclose()
        run: Any = (await client.runs.list(thread))[0]
        await client.runs.join(thread, run["run_id"])
        ended[on_disconnect] = (await client.runs.get(thread, run["run_id"]))["status"]

    assert ended == {"cancel": "interrupted", "continue": "success"}


async def test_leaving_a_joined_stream_cancels_where_that_was_said(trial_url: str, trial_people: People) -> None:
    client = client_of(trial_url, trial_people.ada)
    thread, run = await started(trial_url, trial_people.ada, "slow", {"seconds": 5}, "values")

    stream = client.runs.join_stream(thread, run, cancel_on_disconnect=True)
    await anext(stream)
    await stream.aclose()
    await client.runs.join(thread, run)

    assert (await client.runs.get(thread, run))["status"] == "interrupted"


@pytest.mark.parametrize("last_id", ["abc", "--1", "1.5", "9" * 30, "1 OR 1=1", "-2", "½"])
async def test_a_malformed_last_event_id_is_refused(
    trial_url: str, trial_people: People, trial_http: httpx.AsyncClient, last_id: str
) -> None:
    thread, run = await started(trial_url, trial_people.ada, "custom", {"steps": 1}, "values")

    headers = {"Last-Event-ID": last_id.encode()}
    reply = await trial_http.get(f"/threads/{thread}/runs/{run}/stream", headers=headers)

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


async def test_nobody_else_sees_a_stream(
    trial_url: str, trial_people: People, trial_site: Site, trial_http: httpx.AsyncClient
) -> None:
    thread, run = await started(trial_url, trial_people.ada, "custom", {"steps": 1}, "values")
    paths = [f"/threads/{thread}/runs/{uuid.uuid4()}/stream", f"/threads/{uuid.uuid4()}/runs/{run}/stream"]

    replies = [await trial_http.get(path) for path in paths]
    nobody = await trial_http.get(f"/threads/{thread}/runs/{run}/stream", headers={"x-api-key": "wrong"})

    assert [reply.status_code for reply in replies] == [404, 404]
    assert nobody.status_code == 401


async def test_another_tenant_finds_no_stream(url: str, site: Site, people: People, stranger: str) -> None:
    thread, run = await started(url, people.ada, "billing_dispute", claim_of(site.worlds), "values")

    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": stranger}) as http:
        reply = await http.get(f"/threads/{thread}/runs/{run}/stream")

    assert reply.status_code == 404
