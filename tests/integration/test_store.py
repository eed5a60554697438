"""The store over HTTP: kept, found, listed, expired, and one tenant's apart from another's."""

import asyncio
import uuid
from typing import Any

import httpx
import psycopg
import pytest
from langgraph_sdk.errors import PermissionDeniedError

from engine.audit.audit import chain
from engine.audit.verify import verify
from engine.opening import open_database
from engine.store.migrate import migrate
from tests.cases import client_of
from tests.conftest import People, Site, fresh_database
from tests.integration.test_bad_requests import problem_of


def root() -> str:
    """A namespace of the test's own."""
    return uuid.uuid4().hex


async def keys_below(client: Any, *namespace: str, **wanted: Any) -> list[str]:
    return [item["key"] for item in (await client.store.search_items(namespace, **wanted))["items"]]


async def test_an_item_is_kept_read_replaced_and_deleted(url: str, people: People) -> None:
    client, place = client_of(url, people.ada), ["users", root()]

    await client.store.put_item(place, "likes", {"food": ["pizza"], "n": 1}, index=False)
    first: Any = await client.store.get_item(place, "likes")
    await client.store.put_item(place, "likes", {"food": []}, index=["food"])
    second: Any = await client.store.get_item(place, "likes")
    await client.store.delete_item(place, "likes")
    await client.store.delete_item(place, "likes")
    gone: Any = await client.store.get_item(place, "likes")

    assert (first["namespace"], first["key"], first["value"]) == (place, "likes", {"food": ["pizza"], "n": 1})
    assert second["value"] == {"food": []}
    assert second["created_at"] == first["created_at"] < second["updated_at"]
    assert gone is None


async def test_items_are_searched_below_a_namespace(url: str, people: People) -> None:
    client, ours = client_of(url, people.ada), root()
    for key, inner in (("a", "x"), ("b", "x"), ("c", "y")):
        await client.store.put_item([ours, inner], key, {"of": inner})
    await client.store.put_item([ours + "x"], "not below", {})

    assert await keys_below(client, ours) == ["c", "b", "a"]
    assert await keys_below(client, ours, "x") == ["b", "a"]
    assert await keys_below(client, ours, limit=1, offset=1) == ["b"]
    assert await keys_below(client, ours, query="anything") == ["c", "b", "a"]
    found: Any = (await client.store.search_items([ours, "y"]))["items"]
    assert (found[0]["namespace"], found[0]["value"], found[0]["score"]) == ([ours, "y"], {"of": "y"}, None)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"n": 9}, ["b"]),
        ({"n": {"$gt": 9}}, ["a"]),
        ({"n": {"$gte": 9}}, ["a", "b"]),
        ({"n": {"$lt": 10}}, ["b"]),
        ({"n": {"$lte": 10, "$gt": 1}}, ["a", "b"]),
        ({"n": {"$ne": 9}}, ["a", "c", "d"]),
        ({"n": {"$gt": "a"}}, ["c"]),
        ({"n": {"$eq": "many"}, "deep": {"$eq": {"x": [1]}}}, ["c"]),
        ({"deep": None}, []),
    ],
)
async def test_items_are_filtered(url: str, people: People, wanted: Any, expected: list[str]) -> None:
    client, ours = client_of(url, people.ada), root()
    for key, value in (("a", {"n": 10}), ("b", {"n": 9}), ("c", {"n": "many", "deep": {"x": [1]}}), ("d", {})):
        await client.store.put_item([ours], key, value)

    assert sorted(await keys_below(client, ours, filter=wanted)) == expected


async def test_namespaces_are_listed(url: str, people: People) -> None:
    client, ours = client_of(url, people.ada), root()
    for place in ([ours, "a", "x"], [ours, "b", "x"], [ours, "b", "y", "z"], [ours]):
        await client.store.put_item(place, "k", {})

    async def listed(**wanted: Any) -> list[list[str]]:
        return [n[1:] for n in (await client.store.list_namespaces(**wanted))["namespaces"]]

    assert await listed(prefix=[ours]) == [[], ["a", "x"], ["b", "x"], ["b", "y", "z"]]
    assert await listed(prefix=[ours], max_depth=2) == [[], ["a"], ["b"]]
    assert await listed(prefix=[ours], suffix=["x"]) == [["a", "x"], ["b", "x"]]
    assert await listed(prefix=[ours, "*", "x"]) == [["a", "x"], ["b", "x"]]
    assert await listed(prefix=[ours], limit=1, offset=1) == [["a", "x"]]
    assert await listed(suffix=["default", ours]) == [], "the tenant's own label is not the caller's"


async def test_an_item_ends_some_time_after_it_was_last_read(url: str, site: Site, people: People) -> None:
    client, ours = client_of(url, people.ada), root()

    async def left_min(change: str = "SELECT 1") -> float:
        async with await psycopg.AsyncConnection.connect(site.dsn, autocommit=True) as conn:
            await conn.execute(change)  # type: ignore[call-overload]  # text of a test
            query = "SELECT extract(epoch FROM expires_at - now()) / 60 FROM store WHERE prefix LIKE %s"
            row = await (await conn.execute(query, (f"%{ours}",))).fetchone()
        return float(row[0]) if row else -1

    sooner = f"UPDATE store SET expires_at = now() + interval '1 minute' WHERE prefix LIKE '%{ours}'"
    await client.store.put_item([ours], "k", {}, ttl=60)
    assert 59 < await left_min() <= 60
    await left_min(sooner)
    await client.store.get_item([ours], "k", refresh_ttl=False)
    await client.store.search_items([ours], refresh_ttl=False)
    assert await left_min() <= 1
    await client.store.search_items([ours])
    assert 59 < await left_min() <= 60
    await left_min(sooner)
    await client.store.get_item([ours], "k")
    assert 59 < await left_min() <= 60


async def test_items_whose_time_is_over_are_swept(url: str, site: Site, people: People) -> None:
    client, ours = client_of(url, people.ada), root()
    await client.store.put_item([ours], "k", {}, ttl=1)

    async with await psycopg.AsyncConnection.connect(site.dsn, autocommit=True) as conn:
        await conn.execute("UPDATE store SET expires_at = now() WHERE prefix LIKE %s", (f"%{ours}",))
        assert await client.store.get_item([ours], "k") is None
        assert await keys_below(client, ours) == []
        assert (await client.store.list_namespaces(prefix=[ours]))["namespaces"] == []
        for _ in range(100):
            if not await (await conn.execute("SELECT FROM store WHERE prefix LIKE %s", (f"%{ours}",))).fetchone():
                return
            await asyncio.sleep(0.05)
    raise AssertionError("nobody swept it")


async def test_one_tenant_s_items_are_not_another_s(url: str, people: People, stranger: str) -> None:
    client, other, ours = client_of(url, people.ada), client_of(url, stranger), root()
    await client.store.put_item([ours], "k", {"whose": "ours"})

    unseen: Any = await other.store.get_item([ours], "k")
    await other.store.put_item([ours], "k", {"whose": "theirs"})
    await other.store.put_item(["default", ours], "k", {"whose": "theirs"})
    theirs: Any = await other.store.search_items([])
    await other.store.delete_item([ours], "k")
    mine: Any = await client.store.get_item([ours], "k")

    assert unseen is None
    assert {item["value"]["whose"] for item in theirs["items"]} == {"theirs"}
    assert (await other.store.list_namespaces(prefix=["*"]))["namespaces"] == [["default", ours]]
    assert mine["value"] == {"whose": "ours"}
    assert await keys_below(client, ours) == ["k"]


async def test_reviewers_read_and_do_not_write(url: str, people: People) -> None:
    client = client_of(url, people.fin)

    assert await keys_below(client, root()) == []
    with pytest.raises(PermissionDeniedError):
        await client.store.put_item([root()], "k", {})
    with pytest.raises(PermissionDeniedError):
        await client.store.delete_item([root()], "k")


async def test_every_write_is_in_the_audit_trail(url: str, site: Site, people: People) -> None:
    client, ours = client_of(url, people.ada), root()
    await client.store.put_item(["a", ours], "k", {"secret": "mine"}, ttl=5)
    await client.store.delete_item(["a", ours], "k")

    async with open_database(site.settings(), lambda _: None) as database, database.transaction() as conn:
        links = await chain(conn, f"store:default.a.{ours}")
        proven = await verify(conn, f"store:default.a.{ours}")

    told = [(link.record["event"], link.record["actor"], link.record["data"]["key"]) for link in links]
    assert told == [("item.put", "key:ada", "k"), ("item.deleted", "key:ada", "k")]
    assert proven.intact
    assert not any(b"mine" in link.canon for link in links)


async def test_a_database_from_before_the_store_gets_it(postgres: str) -> None:
    with fresh_database(postgres) as dsn:
        await migrate(dsn)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
            await conn.execute("DELETE FROM schema_library WHERE name LIKE '%:store'")
            await conn.execute("DROP TABLE store, store_migrations")
            await migrate(dsn)

            assert await (await conn.execute("SELECT FROM store")).fetchall() == []
        assert await migrate(dsn) == []


@pytest.mark.parametrize(
    "text", [" ", "%", "_", "*", "\\d+", "[x]", "(a|b)", "^$", "a/b?c=d&e#f", "\n", "é", "😀", "'--"]
)
async def test_any_text_can_name_an_item(url: str, people: People, text: str) -> None:
    client, ours = client_of(url, people.ada), root()
    await client.store.put_item([ours, text], text, {text: text})
    await client.store.put_item([ours, "other"], text, {})

    item: Any = await client.store.get_item([ours, text], text)
    listed = await client.store.list_namespaces(prefix=[ours, text])

    assert (item["namespace"], item["key"], item["value"]) == ([ours, text], text, {text: text})
    assert await keys_below(client, ours, text, filter={text: text}) == [text]
    assert [ours, text] in listed["namespaces"]
    assert (len(listed["namespaces"]) == 1) is (text != "*")


LONG = "x" * 3000
BAD: list[tuple[str, str, Any]] = [
    ("PUT", "/store/items", {"namespace": ["a.b"], "key": "k", "value": {}}),
    ("PUT", "/store/items", {"namespace": [], "key": "k", "value": {}}),
    ("PUT", "/store/items", {"namespace": [""], "key": "k", "value": {}}),
    ("PUT", "/store/items", {"namespace": ["a\0"], "key": "k", "value": {}}),
    ("PUT", "/store/items", {"namespace": "a", "key": "k", "value": {}}),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "", "value": {}}),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "\0", "value": {}}),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": []}),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {"a": "\0"}}),
    ("PUT", "/store/items", {"namespace": ["a"], "key": LONG, "value": {}}),
    ("PUT", "/store/items", {"namespace": [LONG], "key": "k", "value": {}}),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {}, "ttl": 0}),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {}, "ttl": 10**12}),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {}, "index": True}),
    ("GET", "/store/items?namespace=a", None),
    ("GET", "/store/items?namespace=&key=k", None),
    ("GET", "/store/items?namespace=a..b&key=k", None),
    ("GET", "/store/items?namespace=a%00&key=k", None),
    ("GET", "/store/items?namespace=a&key=%00", None),
    ("DELETE", "/store/items", {"namespace": ["a.b"], "key": "k"}),
    ("POST", "/store/items/search", {"namespace_prefix": ["a.b"]}),
    ("POST", "/store/items/search", {"namespace_prefix": [], "limit": 10**6}),
    ("POST", "/store/items/search", {"namespace_prefix": [], "offset": -1}),
    ("POST", "/store/items/search", {"namespace_prefix": [], "filter": {"a": {"$near": 1}}}),
    ("POST", "/store/items/search", {"namespace_prefix": [], "filter": {"a": {"b": 1}}}),
    ("POST", "/store/items/search", {"namespace_prefix": [], "filter": {"a\0": 1}}),
    ("POST", "/store/namespaces", {"prefix": ["a.b"]}),
    ("POST", "/store/namespaces", {"suffix": [""]}),
    ("POST", "/store/namespaces", {"max_depth": 0}),
]


@pytest.mark.parametrize(("method", "path", "body"), BAD)
async def test_bad_input_is_a_clear_problem(
    http: httpx.AsyncClient, people: People, method: str, path: str, body: Any
) -> None:
    reply = await http.request(method, path, json=body, headers={"x-api-key": people.ada})

    assert problem_of(reply) == (422, "invalid_request")
