"""Another tenant's ids are no ids: on every route of the OpenAPI document, whatever roles the caller holds at home."""

import uuid
from typing import Any

import httpx
import pytest

from tests.cases import GRAPH, client_of, parked_case
from tests.conftest import People, Site

RUN = {"assistant_id": GRAPH, "input": {"complaint": "x", "account_id": "AC-1001"}}
BODIES: dict[str, Any] = {
    "/runs": RUN,
    "/runs/wait": RUN,
    "/runs/stream": RUN,
    "/runs/crons": RUN | {"schedule": "0 3 * * *"},
    "/state/checkpoint": {"checkpoint": {}},
    "/latest": {"version": 1},
    "/decision": {"type": "approve", "action_digest": "0" * 64},
    "/resolve": {"outcome": "abort"},
    "/stream/events": {"channels": ["values"]},
    "/commands": {"id": 1, "method": "run.start", "params": RUN},
}
"""What fits a route, by how its path ends."""
SHARED = ("/versions/",)
"""What no tenant owns."""


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
    }


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
