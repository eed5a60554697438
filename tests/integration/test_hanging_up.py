"""Callers that hang up, at once or in the middle: their runs are cancelled or go on exactly as asked."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from api.answers import waiting
from api.streams import streaming
from tests.cases import client_of
from tests.conftest import People, Site
from tests.engines import fresh_bench
from tests.streaming import new_thread

CANCELLED, WENT_ON = ("interrupted", "cancelled"), ("success", "completed")
ENDED = (
    "SELECT metadata ->> 'mark', status, outcome FROM run WHERE metadata ->> 'mark' = ANY (%s) AND outcome IS NOT NULL"
)
HELD = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%%'
"""


async def leave(url: str, key: str, call: tuple[str, str, dict[str, Any] | None], *, after: int) -> None:
    """Make a call and hang up when so many bytes of the answer have come; `0`: as soon as it is sent."""
    method, path, body = call
    sent = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n"
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    writer.write(f"{head}content-length: {len(sent)}\r\n\r\n".encode() + sent)
    await writer.drain()
    got = await reader.readexactly(after)
    assert not after or got.startswith(b"HTTP/1.1 200"), got
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def asked(mark: str, **more: Any) -> dict[str, Any]:
    return {"assistant_id": "slow", "input": {"seconds": 1.5}, "metadata": {"mark": mark}} | more


async def ends(site: Site, marks: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Status and outcome of the runs with these marks, when all have ended."""
    wanted = list(marks)
    async with await psycopg.AsyncConnection.connect(site.dsn, autocommit=True) as conn:
        for _ in range(200):
            rows = await (await conn.execute(ENDED, (wanted,))).fetchall()
            if len(rows) == len(wanted):
                return {mark: (status, outcome) for mark, status, outcome in rows}
            await asyncio.sleep(0.05)
    raise AssertionError(f"of {wanted} only these ended within 10 s: {rows}")


async def pool_is_whole(url: str, key: str, site: Site) -> bool:
    """Whether no transaction was left open, and more callers at once than there are connections are answered."""
    await asyncio.wait_for(asyncio.gather(*(client_of(url, key).threads.count() for _ in range(40))), 10)
    async with await psycopg.AsyncConnection.connect(site.dsn, autocommit=True) as conn:
        row = await (await conn.execute(HELD)).fetchone()
    return row == (0,)


async def test_a_run_ends_or_goes_on_as_its_caller_said_who_hangs_up(
    trial_url: str, trial_people: People, trial_site: Site
) -> None:
    client, calls, expected = client_of(trial_url, trial_people.ada), [], {}
    for verb in ("wait", "stream"):
        for where in ("/threads/{}/runs/", "/runs/"):
            for on_disconnect, end in (("cancel", CANCELLED), ("continue", WENT_ON)):
                for after in (0, 20):
                    mark = f"{verb} {where} {on_disconnect} {after} {uuid.uuid4()}"
                    path = where.format(await new_thread(client)) + verb
                    body = asked(mark, on_disconnect=on_disconnect)
                    calls.append(leave(trial_url, trial_people.ada, ("POST", path, body), after=after))
                    expected[mark] = end

    await asyncio.gather(*calls)

    assert await ends(trial_site, expected) == expected
    assert await pool_is_whole(trial_url, trial_people.ada, trial_site)


async def test_a_join_that_is_left_cancels_only_where_that_was_asked(
    trial_url: str, trial_people: People, trial_site: Site
) -> None:
    client, calls, expected = client_of(trial_url, trial_people.ada), [], {}
    cancelling = "?cancel_on_disconnect="
    for said, end in (("", WENT_ON), (f"{cancelling}false", WENT_ON), (f"{cancelling}true", CANCELLED)):
        for verb, after in (("join", 0), ("join", 20), ("stream", 0), ("stream", 20)):
            mark = f"{verb} {said} {after} {uuid.uuid4()}"
            run: Any = await client.runs.create(await new_thread(client), **asked(mark))
            path = f"/threads/{run['thread_id']}/runs/{run['run_id']}/{verb}{said}"
            calls.append(leave(trial_url, trial_people.ada, ("GET", path, None), after=after))
            expected[mark] = end

    await asyncio.gather(*calls)

    assert await ends(trial_site, expected) == expected
    assert await pool_is_whole(trial_url, trial_people.ada, trial_site)


async def test_a_reviewer_who_hangs_up_on_an_answer_does_not_stop_another_s_case(
    trial_url: str, trial_people: People, trial_site: Site
) -> None:
    client, expected = client_of(trial_url, trial_people.ada), {}
    for verb in ("wait", "stream") * 2:
        mark = str(uuid.uuid4())
        thread = await new_thread(client)
        await client.runs.wait(thread, "gate", input={"case": mark, "number": 50}, metadata={"mark": mark})
        answer = {"assistant_id": "gate", "command": {"resume": {"type": "approve"}}, "on_disconnect": "cancel"}
        await leave(trial_url, trial_people.fin, ("POST", f"/threads/{thread}/runs/{verb}", answer), after=20)
        expected[mark] = WENT_ON

    assert await ends(trial_site, expected) == expected


async def test_a_request_that_was_not_sent_whole_is_not_obeyed(trial_url: str, trial_people: People) -> None:
    client, mark = client_of(trial_url, trial_people.ada), str(uuid.uuid4())
    body = json.dumps({"metadata": {"mark": mark}})
    address = urlsplit(trial_url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)

    writer.write(f"POST /threads HTTP/1.1\r\nHost: here\r\nx-api-key: {trial_people.ada}\r\n".encode())
    writer.write(f"content-type: application/json\r\ncontent-length: {len(body) + 1}\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()
    await asyncio.sleep(0.3)

    assert await client.threads.count(metadata={"mark": mark}) == 0


@pytest.mark.parametrize("answer", [waiting, streaming])
async def test_a_server_that_goes_down_has_not_hung_up_in_its_caller_s_name(
    postgres: str, folder: Path, answer: Callable[..., Any]
) -> None:
    async def send(_: object) -> None:
        pass

    async with fresh_bench(postgres, folder) as bench:
        run = await bench.open_case()
        answering = answer(bench.engine, run, cancel_by=run.requester)
        serving = asyncio.create_task(answering({"type": "http", "method": "GET"}, asyncio.Event().wait, send))
        await asyncio.sleep(0.1)
        serving.cancel()
        await asyncio.wait({serving})
        await bench.go_on()

        assert (await bench.again(run)).outcome is None  # it has parked at its gate
