"""The database is killed under a running server: nothing accepted is lost, and work goes on when it is back."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from commands.serving import free_port
from engine.store import embedded
from tests.cases import GRAPH, client_of, parked_case, refunds_of
from tests.conftest import TRIALS, People, Site, make_people, running, wait_until_up
from tests.streaming import new_thread


@pytest.fixture
def own_site(folder: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site whose Postgres nobody else uses."""
    home = folder / request.node.name
    dsn = embedded.start(home, notify=lambda _: None).dsn
    yield Site(dsn, home, home / "worlds.sqlite")
    embedded.stop(home)


def kill_postgres(site: Site) -> None:
    data = Path(embedded.start(site.home, notify=lambda _: None).data)
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


@pytest.mark.slow
async def test_a_server_outlives_its_database(own_site: Site) -> None:
    people: People = await make_people(own_site.settings())
    port = free_port()
    with running(own_site, "serve", "--port", str(port)):
        url = f"http://127.0.0.1:{port}"
        await asyncio.to_thread(wait_until_up, url)
        thread, account, interrupt = await parked_case(client_of(url, people.ada), own_site.worlds)

        kill_postgres(own_site)
        during = await asyncio.to_thread(httpx.get, f"{url}/ok", timeout=30)
        embedded.start(own_site.home, notify=lambda _: None)
        await asyncio.to_thread(wait_until_up, url)
        command = {"resume": {interrupt["id"]: {"type": "approve"}}}
        paid = await client_of(url, people.fin).runs.wait(thread, GRAPH, command=command)

    assert (during.status_code, during.json()["code"]) == (503, "store_unavailable")
    assert isinstance(paid, dict)
    assert paid["outcome"] == "completed"
    assert refunds_of(own_site.worlds, account) == [25_000]


@pytest.mark.slow
async def test_a_stream_outlives_the_database(own_site: Site) -> None:
    people: People = await make_people(own_site.settings())
    port = free_port()
    site = replace(own_site, registry=TRIALS)
    with running(site, "serve", "--port", str(port)):
        url, heard = f"http://127.0.0.1:{port}", list[int]()
        await asyncio.to_thread(wait_until_up, url)
        client = client_of(url, people.ada)
        thread, value = await new_thread(client), {"ticks": 30, "pause_s": 0.02}
        async for part in client.runs.stream(thread, "ticker", input=value, stream_mode="custom"):
            if part.event == "custom":
                heard.append(part.data["tick"])
            if heard == [1]:
                kill_postgres(own_site)
                embedded.start(own_site.home, notify=lambda _: None)

    assert sorted(set(heard)) == list(range(1, 91))
