"""What the server's log says of a request and of a run, and what it never says."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cases import GRAPH, new_account
from tests.conftest import People, Site

Lines = Callable[..., list[dict[str, Any]]]
WORDS = "charged twice, says a customer whose words stay out of logs"


@pytest.fixture
def lines(site: Site) -> Lines:
    """Lines of the server's log with these members, as soon as there is one: an answer may be quicker than its line."""

    def read(**members: str) -> list[dict[str, Any]]:
        written = [line for log in site.home.glob("serve-*.log") for line in log.read_text().splitlines()]
        found = [json.loads(line) for line in written]
        return [line for line in found if members.items() <= line.items()]

    def wait(**members: str) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 10
        while not (found := read(**members)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    return wait


async def test_a_request_is_one_line_with_route_status_and_caller(
    http: httpx.AsyncClient, people: People, lines: Lines
) -> None:
    request_id, thread_id = f"req-{uuid.uuid4()}", str(uuid.uuid4())
    headers = {"x-api-key": people.ada, "x-request-id": request_id}

    answer = await http.get(f"/threads/{thread_id}?note=private", headers=headers)

    assert answer.headers["x-request-id"] == request_id
    [line] = lines(request_id=request_id)
    assert line["message"] == "GET /threads/{thread_id} 404"
    assert (line["principal"], line["tenant"], line["thread_id"]) == ("key:ada", "default", thread_id)
    assert line["ms"] > 0
    assert "private" not in json.dumps(line)


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "new\tline", "ü"])
async def test_a_request_id_that_is_not_sane_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    answer = await http.get("/info", headers={"x-request-id": given.encode()})

    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 32


async def test_a_run_is_followed_by_its_id_from_the_door_to_the_worker(
    http: httpx.AsyncClient, people: People, site: Site, lines: Lines
) -> None:
    headers = {"x-api-key": people.ada}
    thread_id = (await http.post("/threads", json={}, headers=headers)).json()["thread_id"]
    body = {
        "assistant_id": GRAPH,
        "input": {"complaint": WORDS, "account_id": new_account(site.worlds, amount_cents=25_000)},
    }

    answer = await http.post(f"/threads/{thread_id}/runs/wait", json=body, headers=headers)

    run_id = answer.headers["content-location"].rpartition("/")[2]
    accepted, ended = (lines(run_id=run_id, logger=logger)[0] for logger in ("gatehouse.http", "gatehouse.worker"))
    assert accepted["status"] == 200
    assert (ended["message"], ended["status"], ended["workflow"]) == ("run ended", "interrupted", GRAPH)
    assert accepted["thread_id"] == ended["thread_id"] == thread_id
    assert ended["worker"]


async def test_no_body_and_no_key_is_ever_logged(http: httpx.AsyncClient, people: People, site: Site) -> None:
    headers = {"x-api-key": people.ada}
    await http.post("/threads", content=b'{"metadata": {"secret": "do-not-log-me"', headers=headers)
    await http.get("/threads/not-a-uuid-but-gh_secret", headers={"x-api-key": "gh_12345678_" + "z" * 43})

    log = "".join(log.read_text() for log in site.home.glob("serve-*.log"))

    assert "POST /threads 4" in log
    assert [word for word in ("do-not-log-me", "gh_secret", "z" * 43, people.ada, WORDS) if word in log] == []
