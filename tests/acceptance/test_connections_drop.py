"""Connections of a server that carries runs are cut again and again: nothing is lost, and nothing happens twice."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from langgraph_sdk.errors import InternalServerError

from commands.serving import free_port
from tests.cases import client_of
from tests.conftest import TRIALS, People, Site, fresh_database, make_people, running, wait_until_up
from tests.outside import Outside, outside_at

CASES, EFFECTS, CUTS = 8, 3, 8
OURS = "datname = current_database() AND application_name = 'gatehouse' AND pid <> pg_backend_pid()"
KINDS = {
    "pool": "query NOT ILIKE 'LISTEN%%' AND query NOT ILIKE '%%procrastinate%%'",
    "listening": "query ILIKE 'LISTEN%%'",
    "wake-ups": "query ILIKE '%%procrastinate%%'",
    "all": "true",
}
OVER = "SELECT 1 WHERE NOT EXISTS (SELECT FROM run WHERE status IN ('pending', 'running'))"
LEFT = "SELECT id, status, attempts, lease_until < now() FROM run WHERE status IN ('pending', 'running')"
DOUBTS = "SELECT count(*) FROM effect WHERE thread_id = %s AND state = 'unknown'"


@dataclass(frozen=True)
class House:
    """A server with a worker, whose connections may be cut."""

    url: str
    people: People
    outside: Outside
    database: psycopg.AsyncConnection[Any]
    home: Path

    async def cut(self, kind: str) -> int:
        """End the server's connections of one kind, whatever they are at."""
        query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS} AND {KINDS[kind]}"
        return (await self.database.execute(query.replace("%%", "%"))).rowcount

    async def until_over(self) -> None:
        for _ in range(600):
            if await (await self.database.execute(OVER)).fetchone():
                return
            await asyncio.sleep(0.1)
        left = await (await self.database.execute(LEFT)).fetchall()
        said = "".join(log.read_text()[-6000:] for log in self.home.glob("serve-*.log"))
        raise AssertionError(f"not over after a minute: {left}\n{said}")


@pytest.fixture(scope="module")
def site(postgres: str, folder: Path) -> Iterator[tuple[Site, Outside]]:
    with fresh_database(postgres) as dsn, outside_at(folder / "dropped.sqlite", delay_ms=60) as outside:
        yield Site(dsn, folder / "dropped", folder / "unused", TRIALS, {"counter": outside.url}), outside


@pytest.fixture(scope="module")
async def house(site: tuple[Site, Outside]) -> AsyncIterator[House]:
    place, outside = site
    people = await make_people(place.settings())
    with running(place, "serve", "--port", str(port := free_port())):
        url = f"http://127.0.0.1:{port}"
        await asyncio.to_thread(wait_until_up, url)
        async with await psycopg.AsyncConnection.connect(place.dsn, autocommit=True) as database:
            yield House(url, people, outside, database, place.home)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
async def test_runs_outlive_the_connections_of_their_server(house: House, kind: str) -> None:
    client, cases = client_of(house.url, house.people.ada), {}
    for _ in range(CASES):
        thread, case = (await client.threads.create())["thread_id"], uuid.uuid4().hex
        run = await client.runs.create(thread, "counting", input={"case": case, "effects": EFFECTS})
        cases[thread] = (case, run["run_id"])

    cuts = 0
    for _ in range(CUTS):
        cuts += await house.cut(kind)
        await asyncio.sleep(0.15)
    await house.until_over()

    counted = house.outside.counted()
    for thread, (case, run_id) in cases.items():
        doubts = (await (await house.database.execute(DOUBTS, (thread,))).fetchone() or (0,))[0]
        outcome: Any = dict(await client.runs.get(thread, run_id))["outcome"]
        times = [counted[case, number] for number in range(1, EFFECTS + 1)]
        assert (outcome, doubts) in (("completed", 0), (None, 1))
        assert times == [1] * EFFECTS if not doubts else max(times) == 1
    assert cuts > 0


@pytest.mark.slow
async def test_who_waits_hears_of_the_end_although_the_listening_connection_was_cut(house: House) -> None:
    client = client_of(house.url, house.people.ada)
    thread = (await client.threads.create())["thread_id"]
    waiting = asyncio.create_task(client.runs.wait(thread, "slow", input={"seconds": 1.5}))

    for _ in range(4):
        await asyncio.sleep(0.3)
        await house.cut("listening")

    assert (await asyncio.wait_for(waiting, timeout=30))["summary"] == "waited 1.5 s"  # type: ignore[call-overload,index]


async def test_a_cut_while_nothing_is_done_is_not_noticed(house: House) -> None:
    client = client_of(house.url, house.people.ada)

    for _ in range(3):
        await house.cut("all")
        with contextlib.suppress(InternalServerError):
            await client.threads.create()  # a pool hands a dead connection out once at most
    thread = (await client.threads.create())["thread_id"]
    done: Any = await client.runs.wait(thread, "three_stages", input={"text": "a"})

    assert done["summary"] == "1 words, 1 letters"


@pytest.mark.slow
async def test_who_waits_hears_of_the_end_although_every_connection_was_cut(house: House) -> None:
    client, headers = client_of(house.url, house.people.ada), {"x-api-key": house.people.ada}
    thread = (await client.threads.create())["thread_id"]
    run = (await client.runs.create(thread, "slow", input={"seconds": 4}))["run_id"]

    async with httpx.AsyncClient(base_url=house.url, headers=headers, timeout=30) as http:
        joins = [asyncio.create_task(http.get(f"/threads/{thread}/runs/{run}/join")) for _ in range(20)]
        await asyncio.sleep(1.5)  # until all of them have been let in
        for _ in range(5):
            await asyncio.sleep(0.3)
            await house.cut("all")
        replies = await asyncio.gather(*joins)

    assert {reply.json()["summary"] for reply in replies} == {"waited 4 s"}
