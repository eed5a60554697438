"""Several people decide together: different people, each in a seat of their own, over exactly one action."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.cases import client_of
from tests.conftest import People
from tests.outside import Outside


@dataclass(frozen=True)
class Panel:
    """A server on which a number waits that finance and one of manager and director must allow."""

    http: httpx.AsyncClient
    people: People
    thread: str
    case: str
    request: dict[str, Any]

    async def post(self, who: str, action: str, **body: Any) -> httpx.Response:
        path = f"/approvals/{self.request['request_id']}/{action}"
        return await self.http.post(path, json=body, headers={"x-api-key": getattr(self.people, who)})

    async def decide(self, who: str, kind: str = "approve", **more: Any) -> httpx.Response:
        return await self.post(who, "decision", type=kind, action_digest=self.request["action_digest"], **more)

    async def now(self) -> dict[str, Any]:
        headers = {"x-api-key": self.people.fin}
        found = await self.http.get(f"/approvals/{self.request['request_id']}", headers=headers)
        shown: dict[str, Any] = found.json()
        return shown


@pytest.fixture
async def panel(trial_url: str, trial_people: People) -> AsyncIterator[Panel]:
    client, case = client_of(trial_url, trial_people.ada), uuid.uuid4().hex
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "gate", input={"case": case, "number": 5_000_000})
    async with httpx.AsyncClient(base_url=trial_url, timeout=30) as http:
        found = await http.get("/approvals", params={"thread_id": thread}, headers={"x-api-key": trial_people.fin})
        yield Panel(http, trial_people, thread, case, found.json()[0])


async def test_two_of_three_with_finance_decide(panel: Panel, outside: Outside, trial_url: str) -> None:
    first = (await panel.decide("mia")).json()
    waiting, counted = await panel.now(), outside.counted()[panel.case, 5_000_000]
    second = (await panel.decide("fin")).json()
    await client_of(trial_url, panel.people.ada).runs.join(panel.thread, second["run_id"])

    assert (first["decision"], waiting["status"], counted) == (None, "pending", 0)
    assert [vote["by"] for vote in waiting["votes"]] == ["key:mia"]
    assert second["decision"]["by"] == "key:mia, key:fin"
    assert outside.counted()[panel.case, 5_000_000] == 1


async def test_without_the_one_that_must_be_among_them_it_waits(panel: Panel, outside: Outside) -> None:
    replies = [await panel.decide(who) for who in ("mia", "dan")]

    assert [reply.json()["decision"] for reply in replies] == [None, None]
    assert (await panel.now())["status"] == "pending"
    assert outside.counted()[panel.case, 5_000_000] == 0


async def test_nobody_sits_in_two_seats(panel: Panel, outside: Outside) -> None:
    await panel.decide("fin")
    again = await panel.decide("fin")

    assert (again.status_code, again.json()["code"]) == (409, "already_decided")
    assert (await panel.now())["status"] == "pending"
    assert outside.counted()[panel.case, 5_000_000] == 0


async def test_a_double_click_is_one_voice(panel: Panel, outside: Outside) -> None:
    replies = await asyncio.gather(*(panel.decide("fin") for _ in range(4)))

    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
    assert len((await panel.now())["votes"]) == 1
    assert outside.counted()[panel.case, 5_000_000] == 0


async def test_one_who_rejects_ends_it(panel: Panel, outside: Outside) -> None:
    await panel.decide("fin")
    rejected = (await panel.decide("dan", "reject", reason_code="not_justified")).json()
    late = await panel.decide("mia")

    assert rejected["decision"]["type"] == "reject"
    assert late.json()["winner"] == {"decided_by": "key:dan", "decision": "reject"}
    assert (await panel.now())["reason_code"] == "not_justified"
    assert outside.counted()[panel.case, 5_000_000] == 0


async def test_nobody_edits_what_others_have_to_see(panel: Panel) -> None:
    edited = {"name": panel.request["action"]["tool"], "args": panel.request["action"]["args"] | {"number": 11}}

    refused = await panel.decide("fin", "edit", edited_action=edited)

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_decision")
    assert (await panel.now())["votes"] == []


async def test_an_approval_through_the_langgraph_api_waits_for_the_others(panel: Panel, trial_url: str) -> None:
    command = {"resume": {"type": "approve"}}

    first: Any = await client_of(trial_url, panel.people.mia).runs.wait(panel.thread, "gate", command=command)
    second: Any = await client_of(trial_url, panel.people.fin).runs.wait(panel.thread, "gate", command=command)

    assert first["__interrupt__"][0]["id"] == panel.request["interrupt_id"]
    assert second["outcome"] == "completed"


async def test_a_role_that_is_not_asked_says_nothing(panel: Panel) -> None:
    refused = await panel.decide("sue")

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert refused.json()["roles"] == ["manager", "finance", "director"]
