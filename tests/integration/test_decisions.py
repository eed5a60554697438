"""Deciding: who may, over what, and what comes of it."""

from typing import Any

import httpx
import pytest

from tests.cases import GRAPH, client_of, parked_case, refunds_of
from tests.conftest import People, Site


async def request_of(http: httpx.AsyncClient, key: str, thread: str) -> dict[str, Any]:
    reply = await http.get("/approvals", params={"thread_id": thread}, headers={"x-api-key": key})
    found: list[dict[str, Any]] = reply.json()
    return found[0]


async def decide(http: httpx.AsyncClient, key: str, request: dict[str, Any], **decision: Any) -> httpx.Response:
    body = {"action_digest": request["action_digest"]} | decision
    path = f"/approvals/{request['request_id']}/decision"
    return await http.post(path, json=body, headers={"x-api-key": key})


async def test_an_approval_over_http_pays_what_was_shown(
    url: str, http: httpx.AsyncClient, site: Site, people: People
) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)
    request = await request_of(http, people.fin, thread)

    decided = (await decide(http, people.fin, request, type="approve", reason="looks right")).json()
    result = await client_of(url, people.ada).runs.join(thread, decided["run_id"])

    assert result == {"outcome": "completed", "summary": "EUR 250.00 were paid back to your card."}
    assert refunds_of(site.worlds, account) == [25_000]


async def test_a_digest_that_was_not_shown_is_refused(
    url: str, http: httpx.AsyncClient, site: Site, people: People
) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)
    request = await request_of(http, people.fin, thread)

    other = await decide(http, people.fin, request, type="approve", action_digest="0" * 64)
    without = await decide(http, people.fin, request, type="approve", action_digest=None)

    assert (other.status_code, other.json()["code"]) == (409, "digest_mismatch")
    assert (without.status_code, without.json()["code"]) == (422, "invalid_decision")
    assert refunds_of(site.worlds, account) == []


@pytest.mark.parametrize("who", ["ada", "sue", "rex", "olu"])
async def test_only_a_reviewer_with_the_role_decides(
    url: str, http: httpx.AsyncClient, site: Site, people: People, who: str
) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)
    request = await request_of(http, people.fin, thread)

    reply = await decide(http, getattr(people, who), request, type="approve")

    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")
    assert (await request_of(http, people.fin, thread))["status"] == "pending"
    assert refunds_of(site.worlds, account) == []


async def test_an_edited_amount_is_what_is_paid(url: str, site: Site, people: People) -> None:
    thread, account, interrupt = await parked_case(client_of(url, people.ada), site.worlds)
    action = interrupt["value"]["action_requests"][0]
    edited = {"name": action["name"], "args": action["args"] | {"amount_cents": 12_300}}

    result = await client_of(url, people.fin).runs.wait(
        thread, GRAPH, command={"resume": {"decisions": [{"type": "edit", "edited_action": edited}]}}
    )

    assert result == {"outcome": "completed", "summary": "EUR 123.00 were paid back to your card."}
    assert refunds_of(site.worlds, account) == [12_300]


async def test_an_edit_that_the_tool_refuses_leaves_the_request_open(
    url: str, http: httpx.AsyncClient, site: Site, people: People
) -> None:
    thread, _, _ = await parked_case(client_of(url, people.ada), site.worlds)
    request = await request_of(http, people.fin, thread)
    edited = {"name": request["action"]["tool"], "args": request["action"]["args"] | {"amount_cents": -5}}

    reply = await decide(http, people.fin, request, type="edit", edited_action=edited)

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_arguments")
    assert (await request_of(http, people.fin, thread))["status"] == "pending"


async def test_a_rejected_action_is_never_done(url: str, site: Site, people: People) -> None:
    thread, account, _ = await parked_case(client_of(url, people.ada), site.worlds)
    finance = client_of(url, people.fin)

    result: Any = await finance.runs.wait(thread, GRAPH, command={"resume": {"type": "reject", "reason": "fraud"}})

    assert result["outcome"] == "rejected"
    assert refunds_of(site.worlds, account) == []


async def test_a_response_leads_to_a_new_request(url: str, site: Site, people: People) -> None:
    thread, account, first = await parked_case(client_of(url, people.ada), site.worlds)
    finance = client_of(url, people.fin)

    answer = {"type": "respond", "message": "Was it one purchase or two?"}
    result: Any = await finance.runs.wait(thread, GRAPH, command={"resume": {first["id"]: answer}})
    second = result["__interrupt__"][0]
    stale = await finance.http.client.post(
        f"/threads/{thread}/runs",
        json={"assistant_id": GRAPH, "command": {"resume": {first["id"]: {"type": "approve"}}}},
    )
    plain = await finance.http.client.post(
        f"/threads/{thread}/runs", json={"assistant_id": GRAPH, "command": {"resume": {"type": "approve"}}}
    )

    assert second["id"] != first["id"]
    assert (stale.status_code, stale.json()["code"]) == (409, "already_decided")
    assert (plain.status_code, plain.json()["code"]) == (409, "ambiguous_resume")
    assert refunds_of(site.worlds, account) == []


async def test_reading_never_decides(url: str, http: httpx.AsyncClient, site: Site, people: People) -> None:
    thread, _, _ = await parked_case(client_of(url, people.ada), site.worlds)
    request = await request_of(http, people.fin, thread)
    headers = {"x-api-key": people.fin}

    shown = await http.get(f"/approvals/{request['request_id']}", headers=headers)
    by_get = await http.get(f"/approvals/{request['request_id']}/decision", headers=headers)

    assert shown.json()["status"] == "pending"
    assert by_get.status_code == 405
    assert (await request_of(http, people.fin, thread))["status"] == "pending"
