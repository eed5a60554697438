"""Decisions that are refused: a stable code, the request as it was, and the attempt on record."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from engine.access.keys import create_key
from engine.opening import open_database
from tests.cases import client_of
from tests.conftest import People, Site
from tests.outside import Outside

EXPIRED = "UPDATE approval SET expires_at = now() - interval '1 second' WHERE id = %s"


@dataclass(frozen=True)
class Attempted:
    """A request that waits, started by somebody who also reviews for finance."""

    http: httpx.AsyncClient
    keys: dict[str, str]
    database: psycopg.AsyncConnection[Any]
    case: str
    request: dict[str, Any]

    async def decide(self, who: str, **said: Any) -> httpx.Response:
        body = {"type": "approve", "action_digest": self.request["action_digest"]} | said
        path = f"/approvals/{self.request['request_id']}/decision"
        return await self.http.post(path, json=body, headers={"x-api-key": self.keys[who]})

    async def now(self) -> dict[str, Any]:
        shown = await self.http.get(f"/approvals/{self.request['request_id']}", headers={"x-api-key": self.keys["fin"]})
        found: dict[str, Any] = shown.json()
        return found

    async def attempts(self) -> list[tuple[str, str]]:
        """Who tried what was refused, and with which code."""
        path = f"/audit/runs/{self.request['run_id']}"
        audited = (await self.http.get(path, headers={"x-api-key": self.keys["olu"]})).json()
        refused = [r for r in audited["records"] if r["event"] == "approval.attempt_refused"]
        assert audited["intact"]
        return [(record["actor"], record["data"]["code"]) for record in refused]


@pytest.fixture(scope="module")
async def keys(trial_site: Site, trial_people: People) -> dict[str, str]:
    name = f"both-{uuid.uuid4().hex[:6]}"
    async with open_database(trial_site.settings(), lambda _: None) as database, database.transaction() as conn:
        both = await create_key(conn, name, ["caller", "reviewer"], ["finance"])
    return vars(trial_people) | {"both": both, "name of both": f"key:{name}"}


@pytest.fixture
async def waiting(trial_url: str, trial_site: Site, keys: dict[str, str]) -> AsyncIterator[Attempted]:
    client, case = client_of(trial_url, keys["both"]), uuid.uuid4().hex
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "gate", input={"case": case, "number": 20})
    async with (
        httpx.AsyncClient(base_url=trial_url, timeout=30) as http,
        await psycopg.AsyncConnection.connect(trial_site.dsn, autocommit=True) as database,
    ):
        found = await http.get("/approvals", params={"thread_id": thread}, headers={"x-api-key": keys["fin"]})
        yield Attempted(http, keys, database, case, found.json()[0])


@pytest.mark.parametrize(
    ("who", "said", "status", "code"),
    [
        ("both", {}, 403, "forbidden"),
        ("sue", {}, 403, "forbidden"),
        ("fin", {"action_digest": "0" * 64}, 409, "digest_mismatch"),
        ("fin", {"type": "edit", "edited_action": {"name": "counter.press", "args": {}}}, 422, "invalid_decision"),
        (
            "fin",
            {"type": "edit", "edited_action": {"name": "counter.add", "args": {"number": 0}}},
            422,
            "invalid_arguments",
        ),
        ("fin", {"type": "edit", "edited_action": "LARGER"}, 422, "invalid_decision"),
    ],
    ids=["requester", "missing role", "stale digest", "another tool", "arguments that do not fit", "needs two people"],
)
async def test_what_is_refused_changes_nothing_and_is_on_record(
    waiting: Attempted, outside: Outside, who: str, said: dict[str, Any], status: int, code: str
) -> None:
    if said.get("edited_action") == "LARGER":
        said = said | {"edited_action": {"name": "counter.add", "args": {"case": waiting.case, "number": 5_000_000}}}
    before = await waiting.now()

    refused = await waiting.decide(who, **said)

    by = waiting.keys["name of both"] if who == "both" else f"key:{who}"
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert await waiting.now() == before
    assert await waiting.attempts() == [(by, code)]
    assert not {number for case, number in outside.counted() if case == waiting.case}


async def test_after_its_time_nobody_decides(waiting: Attempted, outside: Outside) -> None:
    await waiting.database.execute(EXPIRED, [waiting.request["request_id"]])

    refused = await waiting.decide("fin")

    assert (refused.status_code, refused.json()["code"]) == (409, "approval_expired")
    assert await waiting.attempts() == [("key:fin", "approval_expired")]
    assert outside.counted()[waiting.case, 20] == 0


async def test_what_is_refused_through_the_langgraph_api_is_on_record(waiting: Attempted, trial_url: str) -> None:
    command = {"resume": {"type": "approve"}}
    body = {"assistant_id": "gate", "command": command}
    path = f"/threads/{waiting.request['thread_id']}/runs/wait"

    refused = await waiting.http.post(path, json=body, headers={"x-api-key": waiting.keys["both"]})

    assert refused.status_code == 403
    assert await waiting.attempts() == [(waiting.keys["name of both"], "forbidden")]


async def test_policy_decides_under_a_name_of_its_own(waiting: Attempted) -> None:
    client_key = {"x-api-key": waiting.keys["ada"]}
    body = {"assistant_id": "gate", "input": {"case": waiting.case, "number": 3}}
    thread = (await waiting.http.post("/threads", json={}, headers=client_key)).json()["thread_id"]
    await waiting.http.post(f"/threads/{thread}/runs/wait", json=body, headers=client_key)
    run = (await waiting.http.get(f"/threads/{thread}/runs", headers=client_key)).json()[0]["run_id"]

    audited = (await waiting.http.get(f"/audit/runs/{run}", headers={"x-api-key": waiting.keys["olu"]})).json()
    (decided,) = [record for record in audited["records"] if record["event"] == "approval.decided"]

    assert decided["actor"].startswith("policy:")
    assert (decided["data"]["type"], decided["data"]["rule"]) == ("approve", "small")
