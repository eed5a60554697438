"""Streams while workers are killed, and with readers that read nothing."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from commands.serving import free_port
from tests.cases import client_of
from tests.conftest import TRIALS, People, Site, fresh_database, make_people, running, wait_until_up
from tests.streaming import new_thread, of, parts
from tests.workers import Workers, workers_at

MB = 1024 * 1024


@dataclass
class Crew:
    """A server without a worker, and workers that can be killed, over a database of their own."""

    url: str
    server: psutil.Process
    workers: Workers
    people: People


@pytest.fixture(scope="module")
def crew(postgres: str, folder: Path) -> Iterator[Crew]:
    with ExitStack() as stack:
        dsn = stack.enter_context(fresh_database(postgres))
        site = Site(dsn, folder / "survivors", folder / "survivors" / "worlds.sqlite", TRIALS)
        people, port = asyncio.run(make_people(site.settings())), free_port()
        server = stack.enter_context(running(site, "serve", "--port", str(port), GATEHOUSE_WORKER="false"))
        workers = stack.enter_context(workers_at(site))
        wait_until_up(f"http://127.0.0.1:{port}")
        yield Crew(f"http://127.0.0.1:{port}", psutil.Process(server.pid), workers, people)


async def ticks(crew: Crew, thread: str, heard: list[Any]) -> AsyncIterator[int]:
    """The ticks of a new run as they are told; everything told is put into `heard`."""
    value: Any = {"ticks": 40, "pause_s": 0.02}
    stream = client_of(crew.url, crew.people.ada).runs.stream(
        thread, "ticker", input=value, stream_mode=["custom", "updates", "values"]
    )
    async for part in stream:
        heard.append(part)
        if part.event == "custom":
            yield part.data["tick"]


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [5, 79])
async def test_a_killed_worker_loses_no_event(crew: Crew, killed_at: int) -> None:
    client, heard = client_of(crew.url, crew.people.ada), list[Any]()
    worker, thread = crew.workers.start(), await new_thread(client)

    async for tick in ticks(crew, thread, heard):
        if tick == killed_at and worker in crew.workers.alive:
            crew.workers.end(worker, signal.SIGKILL)
            heir = crew.workers.start()
    crew.workers.end(heir, signal.SIGTERM)

    again = await parts(client.runs.join_stream(thread, heard[0].data["run_id"]))
    taken_over = [place for place, part in enumerate(heard) if part.event == "metadata"][1]
    first, second = of(heard[:taken_over], "custom"), of(heard[taken_over:], "custom")
    assert [(p.id, p.event, p.data) for p in again] == [(p.id, p.event, p.data) for p in heard]
    assert [part.data["attempt"] for part in heard if part.event == "metadata"] == [1, 2]
    assert [tick["tick"] for tick in first] == list(range(1, len(first) + 1))
    assert [tick["tick"] for tick in second] == list(range(121 - len(second), 121))
    assert len(first) >= killed_at
    assert len(second) in (40, 80, 120)  # a stage begins anew, or the next one begins
    assert list(dict.fromkeys(next(iter(told)) for told in of(heard, "updates"))) == ["morning", "noon", "evening"]


@pytest.mark.slow
async def test_a_worker_killed_with_all_that_it_computed_held_back_loses_nothing_that_was_told(crew: Crew) -> None:
    client, worker = client_of(crew.url, crew.people.ada), crew.workers.start(GATEHOUSE_HOLD_S="30")
    thread, value = await new_thread(client), {"ticks": 20, "pause_s": 0.02}
    run: Any = await client.runs.create(thread, "ticker", input=value, stream_mode=["custom", "updates"])
    for _ in range(500):
        if (await client.runs.get(thread, run["run_id"]))["status"] == "running":
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)  # in its second stage of three

    crew.workers.end(worker, signal.SIGKILL)
    left = await client.threads.get_history(thread)
    heir = crew.workers.start()
    told = await parts(client.runs.join_stream(thread, run["run_id"]))
    crew.workers.end(heir, signal.SIGTERM)

    assert left == []
    assert [tick["tick"] for tick in of(told, "custom")] == list(range(1, 61))
    assert (await client.threads.get_state(thread))["values"]["last"] == 60


def deaf_reader(url: str, key: str, path: str) -> socket.socket:
    """A reader that asks for a stream and takes nothing of it."""
    address = urlsplit(url)
    reader = socket.create_connection((address.hostname, address.port))
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nx-api-key: {key}\r\n\r\n".encode())
    return reader


@pytest.mark.slow
async def test_readers_that_read_nothing_cost_nothing(crew: Crew) -> None:
    client, worker = client_of(crew.url, crew.people.ada), crew.workers.start()
    thread = await new_thread(client)
    run: Any = await client.runs.create(thread, "custom", input={"steps": 20_000}, stream_mode="custom")
    before = crew.server.memory_info().rss

    path = f"/threads/{thread}/runs/{run['run_id']}/stream"
    deaf = [deaf_reader(crew.url, crew.people.ada, path) for _ in range(10)]
    told = [p async for p in client.runs.join_stream(thread, run["run_id"]) if p.event == "custom"]
    grown = crew.server.memory_info().rss - before
    for reader in deaf:
        reader.close()
    crew.workers.end(worker, signal.SIGTERM)

    assert [part.data["step"] for part in told] == list(range(1, 20_001))
    assert (await client.runs.get(thread, run["run_id"]))["status"] == "success"
    assert grown < 20 * MB
