"""Another tenant's ids are no ids: on every route of the OpenAPI document, whatever roles the caller holds at home."""

import asyncio
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from tests.cases import GRAPH, client_of, parked_case
from tests.conftest import People, Site

RUN = {"assistant_id": GRAPH, "input": {"complaint": "x", "account_id": "AC-99999999"}}
BODIES: dict[str, Any] = {
    "/runs": RUN,
    "/runs/wait": RUN,
    "/runs/stream": RUN,
    "/runs/crons": RUN | {"schedule": "0 3 * * *"},
    "/state/checkpoint": {"checkpoint": {}},
    "/latest": {"version": 1},
    "/decision": {"type": "approve", "action_digest": "0" * 64},
    "/assign": {"to": "fin"},
    "/undo": {"reason": "a test"},
    "/delegate": {"to": "fin"},
    "/escalate": {"reason": "x"},
    "/resolve": {"outcome": "abort"},
    "/on": {"reason": "x"},
    "/stream/events": {"channels": ["values"]},
    "/commands": {"id": 1, "method": "run.start", "params": RUN},
}
"""What fits a route, by how its path ends."""
SHARED = ("/versions/", "/queues/", "/workflows/", "/senders/schemas/", "/inbound/", "/hooks/")
"""What no tenant owns, and what a signature opens."""


@pytest.fixture(scope="module")
async def ids(url: str, site: Site, people: People) -> dict[str, str]:
    """One of everything that belongs to the tenant of `people`: a case that was paid, what came of it, and the rest."""
    ada, fin, olu = (client_of(url, key) for key in (people.ada, people.fin, people.olu))
    thread, _, interrupt = await parked_case(ada, site.worlds)
    await fin.runs.wait(thread, GRAPH, command={"resume": {interrupt["id"]: {"type": "approve"}}})
    request = interrupt["value"]["request_id"]
    cron: Any = await ada.crons.create(GRAPH, schedule="0 3 1 1 *", input=RUN["input"])
    return {
        "thread_id": thread,
        "run_id": (await ada.runs.list(thread))[0]["run_id"],
        "checkpoint_id": str((await ada.threads.get_state(thread))["checkpoint"]["checkpoint_id"]),
        "request_id": request,
        "key": f"approval:{request}",
        "cron_id": cron["cron_id"],
        "assistant_id": (await olu.assistants.create(GRAPH, name="theirs"))["assistant_id"],
        "namespace": "x",
        "webhook_id": str(uuid.uuid4()),
        "name": "oidc:nobody-of-theirs",
        "sender_id": "snd_0123456789abcdef",
        "switch_id": str(await switched_off(url, people.olu, (await ada.runs.list(thread))[0]["run_id"])),
    }


async def switched_off(url: str, key: str, run_id: str) -> int:
    """A switch that stops a run which is over."""
    body = {"scope": "run", "name": run_id, "reason": "a test"}
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key}) as http:
        return int((await http.post("/switches", json=body)).json()["id"])


async def calls(http: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Method and path of every route that names something of a tenant's."""
    paths = (await http.get("/openapi.json")).json()["paths"]
    named = [path for path in paths if "{" in path and not path.startswith(SHARED)]
    return [(method, path) for path in named for method in paths[path]]


async def answer(http: httpx.AsyncClient, method: str, path: str, ids: dict[str, str], key: str | None) -> int:
    fitting = next((body for end, body in BODIES.items() if path.endswith(end)), {})
    body = {"json": fitting} if method in ("post", "patch", "put") else {}
    headers = {"x-api-key": key} if key else {}
    async with http.stream(method, path.format_map(ids), headers=headers, **body) as reply:
        return reply.status_code


async def test_the_ids_are_right(http: httpx.AsyncClient, people: People, ids: dict[str, str]) -> None:
    reads = [(m, p) for m, p in await calls(http) if m == "get" and "subgraphs/" not in p and not p.endswith("/stream")]

    found = {path: await answer(http, method, path, ids, people.olu) for method, path in reads}

    assert {path: status for path, status in found.items() if status != 200} == {}


async def test_another_tenant_s_ids_are_not_found(
    http: httpx.AsyncClient, people: People, ids: dict[str, str], stranger: str
) -> None:
    ours = {"x-api-key": people.olu}
    before = (await http.get(f"/runs/{ids['run_id']}/timeline", headers=ours)).json()

    found = {(m, p): await answer(http, m, p, ids, stranger) for m, p in await calls(http)}

    assert {call: status for call, status in found.items() if status != 404} == {}
    assert (await http.get(f"/runs/{ids['run_id']}/timeline", headers=ours)).json() == before


async def test_without_a_key_nobody_hears_whether_an_id_exists(http: httpx.AsyncClient, ids: dict[str, str]) -> None:
    nobody_s = ids | {name: str(uuid.uuid4()) for name in ids}

    answered = {await answer(http, m, p, these, None) for m, p in await calls(http) for these in (ids, nobody_s)}

    assert answered == {401}


TAKEN = {("post", "/threads", ("thread_id",)), ("post", "/assistants", ("assistant_id",))}
"""Where an id is one that the caller chooses: of another's it is said that it is taken, and nothing else."""


FITTING: dict[str, Any] = {
    "/runs/batch": RUN,
    "/state": {"values": {}},
    "/threads/prune": {"strategy": "delete"},
    "/assistants": {"graph_id": GRAPH},
    "/history": {},
    "/migrations": {"from": "a", "to": "b", "reason": "x"},
}
VARYING = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[0-9:.]+|(?m:^id: \d+)")
"""Ids, times and numbers of events."""


def in_operation(document: Any, operation: Any) -> Iterator[tuple[str, ...]]:
    """Where a call names something by its id, beside its path."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and parameter["name"].endswith("_id"):
            yield "?", parameter["name"]
    content = operation.get("requestBody", {}).get("content", {})
    yield from dict.fromkeys(members(document, content.get("application/json", {}).get("schema", {})))


def members(document: Any, schema: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where in a body ids of something stand; `*` is each of a list."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].split("/")[-1]]
    for kind in schema.get("anyOf", []):
        yield from members(document, kind, place)
    if "items" in schema and place[-1:] != ("*",):
        yield from members(document, schema["items"], (*place, "*"))
    for name, member in schema.get("properties", {}).items():
        if name in ("ids", "run_ids", "thread_ids") or (name.endswith("_id") and name != "graph_id"):
            yield (*place, name)
        yield from members(document, member, (*place, name))


def with_id(body: Any, place: Sequence[str], given: str) -> Any:
    """The body with an id at this place."""
    if not place:
        return given
    if place[0] == "*":
        return [with_id(body, place[1:], given)]
    value = [given] if place[0].endswith("ids") else with_id((body or {}).get(place[0]), place[1:], given)
    return {**(body or {}), place[0]: value}


async def asked(http: httpx.AsyncClient, key: str, call: Any, given: str) -> tuple[int, str]:
    """What a caller hears who names an id in a body or a query, on a thread of their own."""
    (method, path, place), headers = call, {"x-api-key": key}
    thread = (await http.post("/threads", json={"metadata": {"graph_id": GRAPH}}, headers=headers)).json()["thread_id"]
    fitting = next((body for end, body in (BODIES | FITTING).items() if path.endswith(end)), {})
    how: Any = {"params": {place[1]: given}} if place[0] == "?" else {"json": with_id(fitting, place, given)}
    reply = await http.request(method, path.format(thread_id=thread, name=GRAPH), headers=headers, **how)
    return reply.status_code, VARYING.sub("", reply.text.replace(given, "").replace(thread, ""))


async def test_an_id_of_another_tenant_s_in_a_body_or_a_query_is_like_one_of_nothing(
    http: httpx.AsyncClient, people: People, ids: dict[str, str], stranger: str
) -> None:
    document = (await http.get("/openapi.json")).json()
    named = [
        (method, path, place)
        for path, methods in document["paths"].items()
        for method in methods
        for place in in_operation(document, methods[method])
    ]

    together, differs = asyncio.Semaphore(8), {}

    async def compare(call: Any) -> None:
        name = "run_id" if call[2][-1] == "run_ids" else call[2][-1]
        async with together:
            theirs, nothing = ids.get(name, ids["thread_id"]), str(uuid.uuid4())
            told = [await asked(http, stranger, call, given) for given in (theirs, nothing)]
        if told[0] != told[1]:
            differs[call] = told

    await asyncio.gather(*map(compare, named))

    assert {call for call in differs if call not in TAKEN} == set(), differs
    assert (await http.get(f"/runs/{ids['run_id']}/timeline", headers={"x-api-key": people.olu})).status_code == 200
