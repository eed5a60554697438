"""Who has a request decides it: claimed for a while, passed on, given away, given back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from engine.access.keys import create_key
from engine.opening import open_database
from tests.cases import client_of, parked_case
from tests.conftest import People, Site


@dataclass(frozen=True)
class Desk:
    """A dispute that waits for finance, where two hold that role."""

    http: httpx.AsyncClient
    keys: dict[str, str]
    request: dict[str, Any]

    async def post(self, who: str, action: str, **body: Any) -> httpx.Response:
        path = f"/approvals/{self.request['request_id']}/{action}"
        return await self.http.post(path, json=body, headers={"x-api-key": self.keys[who]})

    async def approve(self, who: str) -> httpx.Response:
        return await self.post(who, "decision", type="approve", action_digest=self.request["action_digest"])

    async def now(self) -> dict[str, Any]:
        path, headers = f"/approvals/{self.request['request_id']}", {"x-api-key": self.keys["fin"]}
        shown: dict[str, Any] = (await self.http.get(path, headers=headers)).json()
        return shown


@pytest.fixture(scope="module")
async def keys(site: Site, people: People) -> dict[str, str]:
    async with open_database(site.settings(), lambda _: None) as database, database.transaction() as conn:
        fay = await create_key(conn, "fay-at-her-desk", ["reviewer", "caller"], ["finance"])
    return vars(people) | {"fay": fay}


@pytest.fixture
async def desk(url: str, site: Site, keys: dict[str, str]) -> AsyncIterator[Desk]:
    thread, _, _ = await parked_case(client_of(url, keys["ada"]), site.worlds)
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        found = await http.get("/approvals", params={"thread_id": thread}, headers={"x-api-key": keys["fin"]})
        yield Desk(http, keys, found.json()[0])


async def test_nobody_else_decides_what_somebody_has_claimed(desk: Desk) -> None:
    claimed = await desk.post("fay", "claim")
    other, twice = await desk.approve("fin"), await desk.post("fin", "claim")
    own = await desk.approve("fay")

    assert claimed.json()["claimed_by"] == "key:fay-at-her-desk"
    assert (other.status_code, other.json()["code"]) == (409, "held_by_another")
    assert (twice.status_code, twice.json()["held_by"]) == (409, "key:fay-at-her-desk")
    assert own.status_code == 200


async def test_a_claim_ends_by_itself(desk: Desk) -> None:
    await desk.post("fay", "claim", seconds=1)
    await asyncio.sleep(1.1)

    assert (await desk.approve("fin")).status_code == 200


async def test_what_is_given_back_is_anybody_s(desk: Desk) -> None:
    await desk.post("fay", "claim")
    not_theirs = await desk.post("fin", "release")
    given_back = await desk.post("fay", "release")
    again = await desk.post("fay", "release")

    assert (not_theirs.status_code, given_back.status_code, again.json()["code"]) == (403, 200, "not_claimed")
    assert (await desk.approve("fin")).status_code == 200


async def test_an_operator_gives_a_request_to_one_person(desk: Desk) -> None:
    by_a_reviewer = await desk.post("fin", "assign", to="fay-at-her-desk")
    assigned = await desk.post("olu", "assign", to="fay-at-her-desk")
    others = [await desk.approve("fin"), await desk.post("fin", "claim")]

    assert (by_a_reviewer.status_code, assigned.json()["assigned_to"]) == (403, "key:fay-at-her-desk")
    assert {reply.json()["code"] for reply in others} == {"held_by_another"}
    assert (await desk.approve("fay")).status_code == 200


@pytest.mark.parametrize(("to", "code"), [("sue", "forbidden"), ("ada", "forbidden"), ("nobody", "not_found")])
async def test_passing_on_gives_nobody_a_right(desk: Desk, to: str, code: str) -> None:
    replies = [await desk.post("fin", "delegate", to=to), await desk.post("olu", "assign", to=to)]

    assert [reply.json()["code"] for reply in replies] == [code, code]
    assert (await desk.now())["assigned_to"] is None


async def test_whoever_has_it_passes_it_on(desk: Desk) -> None:
    await desk.post("fin", "claim")
    not_theirs = await desk.post("fay", "delegate", to="fay-at-her-desk")
    passed_on = await desk.post("fin", "delegate", to="fay-at-her-desk")
    late = await desk.approve("fin")

    assert (not_theirs.status_code, passed_on.json()["claimed_by"]) == (409, None)
    assert late.json()["code"] == "held_by_another"
    assert (await desk.approve("fay")).status_code == 200


async def test_who_starts_a_case_does_not_get_it_in_their_hands(url: str, site: Site, desk: Desk) -> None:
    thread, _, _ = await parked_case(client_of(url, desk.keys["fay"]), site.worlds)
    headers = {"x-api-key": desk.keys["fin"]}
    own = (await desk.http.get("/approvals", params={"thread_id": thread}, headers=headers)).json()[0]
    fay = Desk(desk.http, desk.keys, own)

    replies = [await fay.post("fay", "claim"), await fay.post("olu", "assign", to="fay-at-her-desk")]

    assert [reply.json()["code"] for reply in replies] == ["forbidden", "forbidden"]


async def test_everybody_is_given_another_next_request(url: str, site: Site, keys: dict[str, str]) -> None:
    for _ in range(6):
        await parked_case(client_of(url, keys["ada"]), site.worlds)
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:

        async def next_of(who: str) -> Any:
            body = {"queue": "billing-disputes", "seconds": 5}
            return (await http.post("/approvals/claim", json=body, headers={"x-api-key": keys[who]})).json()

        given = await asyncio.gather(*(next_of(who) for who in ("fin", "fay") * 3))
        nothing = await next_of("rex")

    assert nothing is None
    assert {one["claimed_by"] for one in given} == {"key:fin", "key:fay-at-her-desk"}
    assert len({one["request_id"] for one in given}) == 6


async def test_requests_are_found_by_who_has_them(desk: Desk) -> None:
    await desk.post("fay", "claim")

    async def found(**query: Any) -> set[str]:
        reply = await desk.http.get("/approvals", params=query, headers={"x-api-key": desk.keys["fin"]})
        return {request["request_id"] for request in reply.json()}

    own = desk.request["request_id"]
    thread = {"thread_id": desk.request["thread_id"]}
    assert await found(held_by="key:fay-at-her-desk", **thread) == {own}
    assert await found(role="finance", queue="billing-disputes", **thread) == {own}
    assert await found(held_by="key:fin", **thread) == await found(overdue=True, **thread) == set()
    assert await found(role="support", **thread) == await found(tool="mail.send_reply", **thread) == set()
