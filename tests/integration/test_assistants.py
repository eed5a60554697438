"""Assistants over HTTP: the workflows' own, and those that callers make, with versions and drawings."""

import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError, PermissionDeniedError

from engine.audit.audit import chain
from engine.audit.verify import verify
from engine.opening import open_database
from tests.cases import GRAPH, client_of
from tests.conftest import People, Site
from tests.integration.test_bad_requests import problem_of
from tests.integration.test_sdk import claim_of

NOBODY = "00000000-0000-4000-8000-000000000000"


def mark() -> str:
    """Something to find a test's own assistants by."""
    return uuid.uuid4().hex


async def test_every_workflow_has_an_assistant_of_its_own(url: str, people: People) -> None:
    client = client_of(url, people.rex)

    found: Any = await client.assistants.search(metadata={"created_by": "system"})
    by_name = await client.assistants.get(GRAPH)
    by_id = await client.assistants.get(by_name["assistant_id"].upper())

    own = {assistant["graph_id"]: assistant for assistant in found}
    assert set(own) == {GRAPH, "booking", "customer_service", "procurement"}
    assert own[GRAPH] == by_name == by_id
    assert by_name["assistant_id"] == str(uuid.uuid5(uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8"), GRAPH))


async def test_the_system_s_assistants_cannot_be_changed(url: str, people: People) -> None:
    client = client_of(url, people.olu)
    own = (await client.assistants.get(GRAPH))["assistant_id"]

    for name in (GRAPH, own):
        with pytest.raises(ConflictError, match="workflow itself"):
            await client.assistants.update(name, name="mine")
        with pytest.raises(ConflictError, match="workflow itself"):
            await client.assistants.delete(name)
        with pytest.raises(ConflictError, match="workflow itself"):
            await client.assistants.set_latest(name, 1)
    with pytest.raises(ConflictError, match="already"):
        await client.assistants.create(GRAPH, assistant_id=own)
    assert (await client.assistants.create(GRAPH, assistant_id=own, if_exists="do_nothing"))["name"] == GRAPH


async def test_an_assistant_is_made_changed_and_set_back(url: str, people: People) -> None:
    client = client_of(url, people.olu)
    config: Any = {"configurable": {"tone": "plain"}, "tags": ["a"], "recursion_limit": 50}
    made = await client.assistants.create(
        GRAPH, config, context={"region": "eu"}, metadata={"a": 1}, name="Europe", description="For Europe."
    )

    changed = await client.assistants.update(made["assistant_id"], context={"region": "us"}, metadata={"b": 2})
    versions = await client.assistants.get_versions(made["assistant_id"])
    older = await client.assistants.get_versions(made["assistant_id"], limit=1, offset=1)
    back = await client.assistants.set_latest(made["assistant_id"], 1)

    assert (made["version"], made["config"], made["context"]) == (1, config, {"region": "eu"})
    assert (changed["version"], changed["name"], changed["config"]) == (2, "Europe", config)
    assert (changed["context"], changed["metadata"]) == ({"region": "us"}, {"a": 1, "b": 2})
    assert [v["version"] for v in versions] == [2, 1]
    assert [v["context"] for v in older] == [{"region": "eu"}]
    assert (back["version"], back["context"], back["metadata"]) == (1, {"region": "eu"}, {"a": 1})
    assert await client.assistants.get(made["assistant_id"]) == back


async def test_versions_are_numbered_on_after_setting_back(url: str, people: People) -> None:
    client = client_of(url, people.olu)
    made = (await client.assistants.create(GRAPH, name="one"))["assistant_id"]
    await client.assistants.update(made, name="two")
    await client.assistants.set_latest(made, 1)

    third = await client.assistants.update(made, description="of one")

    assert (third["version"], third["name"], third["description"]) == (3, "one", "of one")
    with pytest.raises(NotFoundError):
        await client.assistants.set_latest(made, 4)


async def test_an_id_is_used_once(url: str, people: People, stranger: str) -> None:
    client, taken = client_of(url, people.olu), str(uuid.uuid4())
    await client.assistants.create(GRAPH, assistant_id=taken, name="first")

    again = await client.assistants.create(GRAPH, assistant_id=taken, name="second", if_exists="do_nothing")
    with pytest.raises(ConflictError):
        await client.assistants.create(GRAPH, assistant_id=taken)
    with pytest.raises(NotFoundError):
        await client_of(url, stranger).assistants.create(GRAPH, assistant_id=taken, if_exists="do_nothing")

    assert again["name"] == "first"


async def test_assistants_are_searched_sorted_counted_and_paged(url: str, people: People) -> None:
    client, ours = client_of(url, people.olu), mark()
    for name in ("b", "a", "c"):
        await client.assistants.create(GRAPH, name=f"{name}-{ours}", metadata={"mark": ours, "deep": {"x": name}})

    newest: Any = await client.assistants.search(metadata={"mark": ours})
    page: Any = await client.assistants.search(
        name=ours.upper(), sort_by="name", sort_order="asc", limit=2, response_format="object", select=["name"]
    )
    rest: Any = await client.assistants.search(name=ours, sort_by="name", sort_order="asc", offset=2, select=["name"])

    assert [a["name"][0] for a in newest] == ["c", "a", "b"]
    assert page == {"assistants": [{"name": f"a-{ours}"}, {"name": f"b-{ours}"}], "next": "2"}
    assert rest == [{"name": f"c-{ours}"}]
    assert await client.assistants.count(metadata={"mark": ours}) == 3
    assert await client.assistants.count(metadata={"deep": {"x": "a"}}, name=ours) == 1
    assert await client.assistants.count(graph_id="other") == 0


async def test_pages_say_how_many_there_are(http: httpx.AsyncClient, people: People) -> None:
    headers, ours = {"x-api-key": people.olu}, mark()
    for _ in range(2):
        await http.post("/assistants", json={"graph_id": GRAPH, "metadata": {"mark": ours}}, headers=headers)
    wanted = {"metadata": {"mark": ours}, "limit": 1}

    pages = [await http.post("/assistants/search", json=wanted | {"offset": o}, headers=headers) for o in (0, 1, 9)]

    assert [page.headers["X-Pagination-Total"] for page in pages] == ["2", "2", "2"]
    assert [page.headers.get("X-Pagination-Next") for page in pages] == ["1", None, None]
    assert [len(page.json()) for page in pages] == [1, 1, 0]


async def test_a_run_may_name_an_assistant(url: str, site: Site, people: People) -> None:
    operator, client = client_of(url, people.olu), client_of(url, people.ada)
    made = (await operator.assistants.create(GRAPH, name="mine"))["assistant_id"]
    thread = (await client.threads.create())["thread_id"]

    result: Any = await client.runs.wait(thread, made, input=claim_of(site.worlds))
    run = (await client.runs.list(thread))[0]

    assert result["outcome"] == "completed"
    assert run["assistant_id"] == made


async def test_a_deleted_assistant_is_gone(url: str, people: People) -> None:
    client = client_of(url, people.olu)
    made = (await client.assistants.create(GRAPH))["assistant_id"]

    await client.assistants.delete(made)

    for call in (client.assistants.get, client.assistants.delete, client.assistants.get_versions):
        with pytest.raises(NotFoundError):
            await call(made)


async def test_every_change_is_in_the_audit_trail(url: str, site: Site, people: People) -> None:
    client = client_of(url, people.olu)
    made = (await client.assistants.create(GRAPH, context={"secret": "mine"}))["assistant_id"]
    await client.assistants.update(made, name="x")
    await client.assistants.set_latest(made, 1)
    await client.assistants.delete(made)

    async with open_database(site.settings(), lambda _: None) as database, database.transaction() as conn:
        links = await chain(conn, f"assistant:{made}")
        proven = await verify(conn, f"assistant:{made}")

    told = [(link.record["event"], link.record["actor"], link.record["data"].get("version")) for link in links]
    assert told == [
        ("assistant.created", "key:olu", 1),
        ("assistant.changed", "key:olu", 2),
        ("assistant.changed", "key:olu", 1),
        ("assistant.deleted", "key:olu", None),
    ]
    assert proven.intact
    assert not any(b"mine" in link.canon for link in links)


async def test_threads_are_found_by_graph_and_assistant_and_deleted_with_it(
    url: str, site: Site, people: People
) -> None:
    operator, client = client_of(url, people.olu), client_of(url, people.ada)
    made = (await operator.assistants.create(GRAPH))["assistant_id"]
    threads = [(await client.threads.create(metadata={"mark": made}))["thread_id"] for _ in range(2)]
    await client.runs.wait(threads[0], made, input=claim_of(site.worlds))
    await client.runs.wait(threads[1], GRAPH, input=claim_of(site.worlds))

    of_graph = await client.threads.search(metadata={"graph_id": GRAPH, "mark": made})
    of_assistant = await client.threads.search(metadata={"assistant_id": made})
    await operator.assistants.delete(made.upper(), delete_threads=True)
    left = await client.threads.search(metadata={"mark": made})

    assert {thread["thread_id"] for thread in of_graph} == set(threads)
    assert [thread["thread_id"] for thread in of_assistant] == [threads[0]]
    assert [thread["thread_id"] for thread in left] == [threads[1]]


async def test_an_assistant_whose_thread_waits_stays(url: str, site: Site, people: People) -> None:
    operator, client = client_of(url, people.olu), client_of(url, people.ada)
    made = (await operator.assistants.create(GRAPH))["assistant_id"]
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, made, input=claim_of(site.worlds, amount_cents=25_000))

    with pytest.raises(ConflictError, match="waits"):
        await operator.assistants.delete(made, delete_threads=True)

    assert (await operator.assistants.get(made))["assistant_id"] == made


async def test_only_operators_change_assistants(url: str, people: People) -> None:
    made = (await client_of(url, people.olu).assistants.create(GRAPH))["assistant_id"]

    for key in (people.ada, people.fin):
        client = client_of(url, key)
        assert (await client.assistants.get(made))["assistant_id"] == made
        with pytest.raises(PermissionDeniedError):
            await client.assistants.create(GRAPH)
        with pytest.raises(PermissionDeniedError):
            await client.assistants.update(made, name="x")
        with pytest.raises(PermissionDeniedError):
            await client.assistants.set_latest(made, 1)
        with pytest.raises(PermissionDeniedError):
            await client.assistants.delete(made)


async def test_another_tenant_sees_none_of_them(url: str, people: People, stranger: str, site: Site) -> None:
    ours, other = mark(), client_of(url, stranger)
    made = (await client_of(url, people.olu).assistants.create(GRAPH, metadata={"mark": ours}))["assistant_id"]
    thread = (await other.threads.create())["thread_id"]

    assert await other.assistants.search(metadata={"mark": ours}) == []
    assert await other.assistants.count(metadata={"mark": ours}) == 0
    for call in (other.assistants.get, other.assistants.delete, other.assistants.get_versions, other.assistants.update):
        with pytest.raises(NotFoundError):
            await call(made)
    with pytest.raises(NotFoundError):
        await other.assistants.set_latest(made, 1)
    with pytest.raises(NotFoundError):
        await other.runs.create(thread, made, input=claim_of(site.worlds))


async def test_drawing_schemas_and_subgraphs_can_be_read(url: str, people: People) -> None:
    client = client_of(url, people.ada)

    drawn: Any = await client.assistants.get_graph(GRAPH, xray=True)
    schemas: Any = await client.assistants.get_schemas(GRAPH)
    subgraphs = await client.assistants.get_subgraphs(GRAPH, recurse=True)

    assert {"assess", "approve_refund"} <= {node["id"] for node in drawn["nodes"]}
    assert {"source": "__start__", "target": "open_case"} in drawn["edges"]
    assert schemas["graph_id"] == GRAPH
    assert set(schemas["input_schema"]["properties"]) == {"complaint", "account_id"}
    assert "outcome" in schemas["output_schema"]["properties"]
    assert "finding" in schemas["state_schema"]["properties"]
    assert subgraphs == await client.assistants.get_subgraphs(GRAPH, "nothing") == {}


BAD: list[tuple[str, str, Any, tuple[int, str]]] = [
    ("POST", "/assistants", {}, (422, "invalid_request")),
    ("POST", "/assistants", {"graph_id": None}, (422, "invalid_request")),
    ("POST", "/assistants", {"graph_id": "nothing"}, (404, "not_found")),
    ("POST", "/assistants", {"graph_id": GRAPH, "assistant_id": "x"}, (422, "invalid_request")),
    ("POST", "/assistants", {"graph_id": GRAPH, "name": "a\0b"}, (422, "invalid_request")),
    ("POST", "/assistants", {"graph_id": GRAPH, "metadata": {"a": ["\0"]}}, (422, "invalid_request")),
    ("POST", "/assistants", {"graph_id": GRAPH, "if_exists": "replace"}, (422, "invalid_request")),
    ("POST", "/assistants", {"graph_id": GRAPH, "config": {"callbacks": []}}, (422, "invalid_request")),
    ("POST", "/assistants", {"graph_id": GRAPH, "config": {"recursion_limit": True}}, (422, "invalid_request")),
    ("POST", "/assistants", {"graph_id": GRAPH, "config": {"configurable": []}}, (422, "invalid_request")),
    (
        "POST",
        "/assistants",
        {"graph_id": GRAPH, "config": {"configurable": {"thread_id": NOBODY}}},
        (422, "invalid_request"),
    ),
    (
        "POST",
        "/assistants",
        {"graph_id": GRAPH, "config": {"configurable": {"__pregel_strict_resume": False}}},
        (422, "invalid_request"),
    ),
    ("POST", "/assistants/search", {"limit": 1_000_000}, (422, "invalid_request")),
    ("POST", "/assistants/search", {"limit": 0}, (422, "invalid_request")),
    ("POST", "/assistants/search", {"offset": 10**30}, (422, "invalid_request")),
    ("POST", "/assistants/search", {"sort_by": "config"}, (422, "invalid_request")),
    ("POST", "/assistants/search", {"select": ["secret"]}, (422, "invalid_request")),
    ("POST", "/assistants/search", {"name": "\0"}, (422, "invalid_request")),
    ("GET", "/assistants/%00", None, (422, "invalid_request")),
    ("GET", "/assistants/nothing", None, (404, "not_found")),
    ("GET", f"/assistants/{NOBODY}/graph", None, (404, "not_found")),
    ("GET", f"/assistants/{GRAPH}/graph?xray=-1", None, (422, "invalid_request")),
    ("GET", f"/assistants/{GRAPH}/graph?xray=much", None, (422, "invalid_request")),
    ("PATCH", f"/assistants/{NOBODY}", {"name": "x"}, (404, "not_found")),
    ("POST", f"/assistants/{NOBODY}/latest", {"version": 1}, (404, "not_found")),
    ("POST", f"/assistants/{NOBODY}/latest", {"version": 10**20}, (422, "invalid_request")),
    ("POST", f"/assistants/{NOBODY}/versions", {}, (404, "not_found")),
    ("DELETE", f"/assistants/{NOBODY}?delete_threads=true", None, (404, "not_found")),
    ("DELETE", f"/assistants/{NOBODY}?delete_threads=perhaps", None, (422, "invalid_request")),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), BAD)
async def test_bad_input_is_a_clear_problem(
    http: httpx.AsyncClient, people: People, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    reply = await http.request(method, path, json=body, headers={"x-api-key": people.olu})

    assert problem_of(reply) == expected


@pytest.mark.parametrize("text", [b"NaN", b"1e999", b'"\\ud800"', b'{"\\ud800": 1}', b'"\\u0000"'])
async def test_what_cannot_be_kept_is_refused(http: httpx.AsyncClient, people: People, text: bytes) -> None:
    headers = {"x-api-key": people.olu, "content-type": "application/json"}

    kept = await http.post("/assistants/search", content=b'{"metadata": {"a": ' + text + b"}}", headers=headers)
    named = await http.post("/assistants/search", content=b'{"\\ud800": 1}', headers=headers)

    assert problem_of(kept) == (422, "invalid_request")
    assert problem_of(named) == (422, "invalid_request")
