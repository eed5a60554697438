"""Wrong input over HTTP: a problem document with a stable code, and nothing changed."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.cases import GRAPH, client_of, parked_case
from tests.conftest import People, Site

NOBODY = "00000000-0000-4000-8000-000000000000"
CLAIM = b'{"assistant_id": "billing_dispute", "input": {"complaint": "x", "account_id": "AC-1001"}}'


def problem_of(reply: httpx.Response) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert body["status"] == reply.status_code
    return reply.status_code, body["code"]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/threads", b"{nonsense", (400, "malformed_body")),
        ("/threads", b'{"metadata": ' + b"[" * 100_000, (400, "malformed_body")),
        ("/threads", b'{"thread_id": "not-a-uuid"}', (422, "invalid_request")),
        ("/threads", b'{"surprise": 1}', (422, "invalid_request")),
        ("/threads", b'{"metadata": {"a": "\\u0000"}}', (422, "invalid_request")),
        ("/threads", b'{"metadata": {"a": "' + b"x" * 10_000_000 + b'"}}', (413, "body_too_large")),
        (f"/threads/{NOBODY}/runs", b'{"assistant_id": "nothing", "input": {"a": 1}}', (404, "not_found")),
        (f"/threads/{NOBODY}/runs", CLAIM, (404, "not_found")),
        ("/threads/x/runs", b"{}", (422, "invalid_request")),
        ("/nowhere", b"{}", (404, "not_found")),
        (f"/approvals/{NOBODY}/decision", b'{"type": "approve", "action_digest": "0"}', (403, "forbidden")),
    ],
)
async def test_a_bad_body_is_a_clear_problem(
    http: httpx.AsyncClient, people: People, path: str, body: bytes, expected: tuple[int, str]
) -> None:
    headers = {"x-api-key": people.ada, "content-type": "application/json"}

    reply = await http.post(path, content=body, headers=headers)

    assert problem_of(reply) == expected


async def test_a_body_that_is_not_called_json_is_told_how_to_be(http: httpx.AsyncClient, people: People) -> None:
    headers = {"x-api-key": people.ada, "content-type": "application/x-www-form-urlencoded"}

    reply = await http.post("/threads", content=b"{}", headers=headers)

    assert problem_of(reply) == (422, "invalid_request")
    assert "content-type: application/json" in reply.json()["hint"]


@pytest.mark.parametrize("key", [None, "", "wrong", "gh_00000000_wrong", "gh_", "gh__", "Bearer x"])
async def test_without_a_valid_key_nothing_is_served(http: httpx.AsyncClient, people: People, key: str | None) -> None:
    headers = {"x-api-key": key} if key is not None else {}
    calls = [
        await http.post("/threads", json={}, headers=headers),
        await http.get(f"/threads/{NOBODY}", headers=headers),
        await http.get("/approvals", headers=headers),
        await http.get(f"/audit/runs/{NOBODY}", headers=headers),
        await http.post("/assistants/search", json={}, headers=headers),
    ]

    assert {problem_of(reply) for reply in calls} == {(401, "unauthenticated")}


async def test_only_health_and_documents_are_open(http: httpx.AsyncClient, people: People) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    opened = []
    for path, methods in paths.items():
        for method in methods:
            reply = await http.request(method, path.replace("{thread_id}", NOBODY).replace("{run_id}", NOBODY), json={})
            if reply.status_code not in (401, 422):
                opened.append(path)

    assert sorted(opened) == ["/.well-known/jwks.json", "/health/live", "/health/ready", "/info", "/metrics", "/ok"]


async def test_input_the_workflow_cannot_use_is_refused(http: httpx.AsyncClient, people: People) -> None:
    headers = {"x-api-key": people.ada}
    thread = (await http.post("/threads", json={}, headers=headers)).json()["thread_id"]

    replies = [
        await http.post(f"/threads/{thread}/runs", json={"assistant_id": GRAPH} | body, headers=headers)
        for body in ({}, {"input": {}}, {"input": {"complaint": 5}}, {"input": {"complaint": "x", "other": 1}})
    ]

    assert {problem_of(reply) for reply in replies} == {(422, "invalid_request")}
    assert (await http.get(f"/threads/{thread}/runs", headers=headers)).json() == []


async def test_a_decision_is_taken_once(url: str, http: httpx.AsyncClient, site: Site, people: People) -> None:
    _, _, interrupt = await parked_case(client_of(url, people.ada), site.worlds)
    request, headers = interrupt["value"], {"x-api-key": people.fin}
    body = {"type": "reject", "action_digest": request["action_digest"]}
    path = f"/approvals/{request['request_id']}/decision"

    first = await http.post(path, json=body, headers=headers)
    second = await http.post(path, json=body | {"type": "approve"}, headers=headers)

    assert first.status_code == 200
    assert problem_of(second) == (409, "already_decided")
    assert second.json()["winner"] == {"decided_by": "key:fin", "decision": "reject"}


async def test_another_thread_s_run_is_not_found(url: str, http: httpx.AsyncClient, site: Site, people: People) -> None:
    thread, _, _ = await parked_case(client_of(url, people.ada), site.worlds)
    headers = {"x-api-key": people.ada}
    run = (await http.get(f"/threads/{thread}/runs", headers=headers)).json()[0]["run_id"]
    other = (await http.post("/threads", json={}, headers=headers)).json()["thread_id"]

    assert problem_of(await http.get(f"/threads/{other}/runs/{run}", headers=headers)) == (404, "not_found")
    assert problem_of(await http.get(f"/threads/{other}/runs/{run}/join", headers=headers)) == (404, "not_found")


async def test_a_method_that_a_route_lacks_is_named_with_those_it_has(http: httpx.AsyncClient, people: People) -> None:
    reply = await http.put("/runs/batch", json={}, headers={"x-api-key": people.ada})

    assert problem_of(reply) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"


async def test_a_body_that_does_not_say_its_size_is_refused_as_soon_as_it_is_too_large(
    http: httpx.AsyncClient, people: People
) -> None:
    async def twenty_megabytes() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1_000_000

    try:
        reply = await http.post("/threads", content=twenty_megabytes(), headers={"x-api-key": people.ada})
    except httpx.WriteError:
        return  # hung up on while it was still sending

    assert problem_of(reply) == (413, "body_too_large")


@pytest.mark.parametrize("key", ["ada", "nobody"])
async def test_twenty_megabytes_are_refused_wherever_they_are_sent(url: str, people: People, key: str) -> None:
    headers = {"x-api-key": getattr(people, key, ""), "content-type": "application/json"}
    body = b'{"input": "' + b"x" * 20_000_000 + b'"}'
    paths = ["/runs/wait", "/runs/stream", "/runs/batch", f"/threads/{NOBODY}/state", f"/threads/{NOBODY}/commands"]
    calls = [*(("POST", path) for path in [*paths, "/mcp", f"/a2a/{GRAPH}", "/nowhere"]), ("PUT", "/store/items")]

    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
        answers = {call: await _refused(http, *call, body) for call in calls}

    assert set(answers.values()) <= {(413, "body_too_large"), None}


async def _refused(http: httpx.AsyncClient, verb: str, path: str, body: bytes) -> tuple[int, str] | None:
    """The problem, or None for a caller who was hung up on while still sending."""
    try:
        return problem_of(await http.request(verb, path, content=body))
    except (httpx.WriteError, httpx.ReadError):
        return None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/threads/search", {"limit": 0}),
        ("/threads/search", {"limit": 10**30}),
        ("/threads/search", {"offset": -1}),
        ("/threads/search", {"metadata": {"a": "\ud800"}}),
        ("/threads", {"ttl": {"ttl": 1e308}}),
        ("/threads", {"thread_id": "\0"}),
        ("/store/items/search", {"namespace_prefix": ["a\0"]}),
        ("/store/namespaces", {"max_depth": 10**20}),
        ("/assistants/search", {"graph_id": "\0"}),
        ("/runs/crons", {"assistant_id": GRAPH, "schedule": "0 0 31 2 *", "input": {"complaint": "x"}}),
        ("/runs/crons", {"assistant_id": GRAPH, "schedule": "* * * * *", "timezone": "Nowhere/Else", "input": {}}),
        ("/runs", {"assistant_id": GRAPH, "input": {"complaint": "x"}, "after_seconds": 1e300}),
    ],
)
async def test_values_out_of_bounds_are_refused(
    http: httpx.AsyncClient, people: People, path: str, body: dict[str, Any]
) -> None:
    headers = {"x-api-key": people.ada, "content-type": "application/json"}

    reply = await http.post(path, content=json.dumps(body), headers=headers)

    assert problem_of(reply) == (422, "invalid_request")


@pytest.mark.parametrize("given", ["nonsense", "9" * 40, "-2", "1e3", "٣"])
async def test_a_reader_cannot_go_on_after_an_event_that_cannot_be(
    url: str, http: httpx.AsyncClient, site: Site, people: People, given: str
) -> None:
    thread, _, _ = await parked_case(client_of(url, people.ada), site.worlds)
    run = (await http.get(f"/threads/{thread}/runs", headers={"x-api-key": people.ada})).json()[0]["run_id"]
    headers = {"x-api-key": people.ada, "last-event-id": given.encode()}

    reply = await http.get(f"/threads/{thread}/runs/{run}/stream", headers=headers)  # type: ignore[arg-type]

    assert problem_of(reply) == (422, "invalid_request")


@pytest.mark.parametrize("given", ["a b", "x" * 65, "a\tb", "{}", "a;b"])
async def test_a_request_id_that_could_forge_a_line_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    reply = await http.get("/ok", headers={"x-request-id": given})

    assert reply.headers["x-request-id"] != given
    assert len(reply.headers["x-request-id"]) == 32


async def test_a_checkpoint_that_a_thread_does_not_have_is_not_found(
    url: str, http: httpx.AsyncClient, site: Site, people: People
) -> None:
    ada, headers = client_of(url, people.ada), {"x-api-key": people.ada}
    thread, _, _ = await parked_case(ada, site.worlds)
    elsewhere = str((await ada.threads.get_state(thread))["checkpoint"]["checkpoint_id"])
    other = f"/threads/{(await ada.threads.create(graph_id=GRAPH))['thread_id']}"
    run = json.loads(CLAIM)
    calls = [
        (f"{other}/runs", run | {"checkpoint_id": elsewhere}),
        (f"{other}/runs/wait", run | {"checkpoint": {"checkpoint_id": elsewhere}}),
        (f"{other}/runs/stream", run | {"config": {"configurable": {"checkpoint_id": elsewhere}}}),
        ("/runs", run | {"checkpoint_id": elsewhere}),
        (f"{other}/state", {"values": {}, "checkpoint_id": elsewhere}),
        (f"{other}/state/checkpoint", {"checkpoint": {"checkpoint_id": elsewhere}}),
    ]

    replies = [await http.post(path, json=body, headers=headers) for path, body in calls]

    assert [problem_of(reply) for reply in replies] == [(404, "not_found")] * len(calls)
    assert (await http.get(f"{other}/runs", headers=headers)).json() == []
