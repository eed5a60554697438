"""What operators and reviewers type about queues, and that nobody else may."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.errors import RateLimitError
from typer.testing import CliRunner, Result

from cli import app
from tests.conftest import People, Site

Gatehouse = Callable[..., Result]
QUEUE = "trials"
REFUSED = """SELECT convert_from(canon, 'UTF8')::jsonb -> 'data' ->> 'code' FROM audit_record
             WHERE stream = %s AND convert_from(canon, 'UTF8')::jsonb ->> 'event' = 'approval.attempt_refused'"""


@pytest.fixture
def gatehouse(trial_site: Site, trial_url: str, trial_people: People, monkeypatch: pytest.MonkeyPatch) -> Gatehouse:
    """The command, at the trial server, acting as its operator unless `key` says otherwise."""
    for name, value in trial_site.environment(GATEHOUSE_URL=trial_url).items():
        monkeypatch.setenv(name, value)

    def run(*words: str, key: str = trial_people.olu) -> Result:
        monkeypatch.setenv("GATEHOUSE_API_KEY", key)
        return CliRunner().invoke(app, words)

    return run


@pytest.fixture
def http(trial_url: str, trial_people: People) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=trial_url, timeout=30, headers={"x-api-key": trial_people.ada}) as http:
        yield http


@pytest.fixture
def request_id(http: httpx.Client, trial_people: People) -> tuple[str, str]:
    """A request that waits at the gate, and its thread."""
    thread = http.post("/threads", json={}).json()["thread_id"]
    body = {"assistant_id": "gate", "input": {"case": uuid.uuid4().hex, "number": 20}}
    http.post(f"/threads/{thread}/runs/wait", json=body)
    reviewer = {"x-api-key": trial_people.fin}
    found = http.get(f"/approvals?thread_id={thread}", headers=reviewer).json()
    return str(found[0]["request_id"]), thread


def shown(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_queue_is_paused_and_resumed_by_command(gatehouse: Gatehouse, http: httpx.Client) -> None:
    paused = gatehouse("queues", "pause", QUEUE, "--reason", "nobody is there")
    refused = http.post("/runs", json={"assistant_id": "three_stages", "input": {"text": "x"}})
    listed = shown(gatehouse("queues", "list", "--json"))
    told = gatehouse("queues", "stats", QUEUE).stdout
    all_of_them = gatehouse("queues", "stats").stdout
    resumed = gatehouse("queues", "resume", QUEUE, "--reason", "they are back")

    assert "paused by key:olu" in paused.stdout
    assert (refused.status_code, refused.json()["code"], refused.json()["cause"]) == (429, "queue_full", "pause")
    assert int(refused.headers["retry-after"]) >= 1
    assert {queue["name"]: queue["paused"] for queue in listed}[QUEUE]["reason"] == "nobody is there"
    assert "nobody is there" in told
    assert "goes up   to group" in told
    assert "nobody is there" in all_of_them
    assert resumed.exit_code == 0
    assert http.post("/runs", json={"assistant_id": "three_stages", "input": {"text": "x"}}).status_code == 200


def test_clients_of_the_langgraph_api_hear_when_to_come_again(
    gatehouse: Gatehouse, trial_url: str, trial_people: People
) -> None:
    gatehouse("queues", "pause", QUEUE, "--reason", "a test")
    with get_sync_client(url=trial_url, api_key=trial_people.ada) as client:
        try:
            with pytest.raises(RateLimitError) as refused:
                client.runs.create(None, "three_stages", input={"text": "x"})
        finally:
            gatehouse("queues", "resume", QUEUE, "--reason", "a test")
        client.runs.create(None, "three_stages", input={"text": "x"})

    assert refused.value.response.headers["retry-after"] == "60"


@pytest.mark.parametrize("who", ["ada", "fin"])
def test_only_operators_pause(gatehouse: Gatehouse, trial_people: People, who: str) -> None:
    tried = gatehouse("queues", "pause", QUEUE, "--reason", "x", key=getattr(trial_people, who))

    assert (tried.exit_code, "forbidden" in tried.stderr) == (2, True)


def test_a_queue_that_there_is_not_is_not_found(gatehouse: Gatehouse) -> None:
    for words in (("stats",), ("pause", "--reason", "x"), ("resume", "--reason", "x")):
        tried = gatehouse("queues", words[0], "nowhere", *words[1:])
        assert (tried.exit_code, "not_found" in tried.stderr) == (2, True)


def test_a_request_goes_up_by_command_as_far_as_there_is_somebody(
    gatehouse: Gatehouse, trial_people: People, request_id: tuple[str, str]
) -> None:
    words = ("approvals", "escalate", request_id[0], "--reason", "too large for me")

    risen = shown(gatehouse(*words, "--json", key=trial_people.fin))
    again = gatehouse(*words, key=trial_people.fin)

    assert (risen["level"], risen["status"]) == (1, "pending")
    assert (again.exit_code, "no_higher_level" in again.stderr) == (2, True)


def test_who_may_not_decide_does_not_move_a_request_and_is_on_record(
    gatehouse: Gatehouse, trial_site: Site, trial_people: People, request_id: tuple[str, str]
) -> None:
    tried = gatehouse("approvals", "escalate", request_id[0], "--reason", "x", key=trial_people.rex)

    assert (tried.exit_code, "forbidden" in tried.stderr) == (2, True)
    with psycopg.connect(trial_site.dsn) as conn:
        assert conn.execute(REFUSED, (f"case:{request_id[1]}",)).fetchall() == [("forbidden",)]
