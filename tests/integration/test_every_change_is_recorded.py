"""Whatever a caller changes over HTTP stands in the audit trail under that caller's name: every route that writes."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from engine.access.keys import create_key, revoke_key
from engine.audit import audit
from engine.opening import open_database
from tests.conftest import People, Site

RUN = {"assistant_id": "three_stages", "input": {"text": "three blind mice"}}
LATER = RUN | {"after_seconds": 3600}
ITEM = {"namespace": ["notes"], "key": "a"}
READS = {
    "post /approvals/batch/preview",
    "post /capabilities/introspection",
    "post /assistants/search",
    "post /assistants/count",
    "post /assistants/{assistant_id}/versions",
    "post /threads/search",
    "post /threads/count",
    "post /threads/{thread_id}/history",
    "post /threads/{thread_id}/state/checkpoint",
    "post /threads/{thread_id}/stream/events",
    "post /runs/crons/search",
    "post /runs/crons/count",
    "post /store/items/search",
    "post /store/namespaces",
}
"""What is sent with a body and changes nothing."""
SIGNED = {"post /inbound/{workflow}", "post /hooks/{sender_id}"}
"""What is recorded under the name of whoever signed it: see test_inbound.py."""
BY = "SELECT count(*) FROM audit_record WHERE convert_from(canon, 'UTF8')::jsonb ->> 'actor' = %s"
UNKNOWN = """UPDATE effect SET state = 'unknown', result = NULL
             WHERE thread_id = %s AND effect_class <> 'read' RETURNING call_key"""
PERSON = """INSERT INTO person (tenant, name, roles, rights_at) VALUES ('default', %s, '{caller}', now())
            RETURNING name"""
DEAD = """INSERT INTO webhook (id, run_id, thread_id, tenant, url, payload, status, due_at)
          SELECT gen_random_uuid(), id, thread_id, tenant, 'https://127.0.0.1/', '{}', 'dead', NULL FROM run
          WHERE id = %s RETURNING id"""


@dataclass(frozen=True)
class Change:
    """What is sent to a route: by whom, with which ids in its path."""

    body: Any = None
    who: str = "olu"
    thread_id: str | None = None
    ids: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Ground:
    """A server, and what changes need to be about something."""

    http: httpx.AsyncClient
    people: People
    database: psycopg.AsyncConnection[Any]

    async def send(self, method: str, path: str, body: Any = None, who: str = "olu") -> httpx.Response:
        key = {"x-api-key": getattr(self.people, who)}
        reply = await self.http.request(method, path, json=body, headers=key)
        assert reply.is_success, f"{method} {path}: {reply.text}"
        return reply

    async def made(self, path: str, name: str, body: Any, who: str = "olu") -> str:
        return str((await self.send("post", path, body, who)).json()[name])

    async def thread(self, who: str = "olu") -> str:
        return await self.made("/threads", "thread_id", {}, who)

    async def run(self, body: Any = LATER) -> tuple[str, str]:
        thread = await self.thread()
        return thread, await self.made(f"/threads/{thread}/runs", "run_id", body)

    async def over(self, body: Any = RUN) -> tuple[str, str]:
        thread, run = await self.run(body)
        await self.send("get", f"/threads/{thread}/runs/{run}/join")
        return thread, run

    async def value(self, query: str, *params: object) -> Any:
        row = await (await self.database.execute(query, params)).fetchone()  # type: ignore[arg-type]  # text of a test
        assert row
        return row[0]


Scene = Callable[[Ground], Awaitable[Change]]


async def nothing_before(ground: Ground, body: Any) -> Change:
    return Change(body)


def straight(body: Any) -> Scene:
    return lambda ground: nothing_before(ground, body)


def on_a_thread(body: Any, *, over: bool = False) -> Scene:
    async def scene(ground: Ground) -> Change:
        thread = (await ground.over())[0] if over else await ground.thread()
        named = {"thread_ids": [thread], **body} if body and "strategy" in body else body
        return Change(named, thread_id=thread)

    return scene


def on_a_run(of: Any = LATER, *, over: bool = False) -> Scene:
    async def scene(ground: Ground) -> Change:
        thread, run = await (ground.over if over else ground.run)(of)
        return Change(thread_id=thread, ids=(("run_id", run),))

    return scene


def on_something(path: str, name: str, made: Any, body: Any = None) -> Scene:
    async def scene(ground: Ground) -> Change:
        return Change(body, ids=((name, await ground.made(path, name, made)),))

    return scene


async def many_cancelled(ground: Ground) -> Change:
    thread, run = await ground.run()
    return Change({"thread_id": thread, "run_ids": [run]}, thread_id=thread)


async def decided(ground: Ground) -> Change:
    thread, run = await ground.run({"assistant_id": "gate", "input": {"case": uuid.uuid4().hex, "number": 11}})
    await ground.send("get", f"/threads/{thread}/runs/{run}/join")
    found = (await ground.send("get", f"/approvals?thread_id={thread}", who="fin")).json()[0]
    body = {"type": "reject", "action_digest": found["action_digest"]}
    return Change(body, "fin", thread_id=thread, ids=(("request_id", str(found["request_id"])),))


async def batched(ground: Ground) -> Change:
    ids = [dict((await decided(ground)).ids)["request_id"]]
    shown = await ground.send("post", "/approvals/batch/preview", {"request_ids": ids}, "fin")
    return Change({"type": "reject", "request_ids": ids, "batch_digest": shown.json()["batch_digest"]}, "fin")


async def lent(ground: Ground) -> Change:
    run = {"assistant_id": "lent", "input": {"case": uuid.uuid4().hex, "number": 1}}
    thread = await ground.thread("ada")
    await ground.send("post", f"/threads/{thread}/runs/wait", run, "ada")
    request = await ground.value("SELECT id FROM approval WHERE thread_id = %s", thread)
    return Change({"reason": "a test"}, "olu", thread, (("request_id", str(request)),))


def waiting(body: Any, who: str, *, claimed: bool = False) -> Scene:
    async def scene(ground: Ground) -> Change:
        change = await decided(ground)
        if claimed:
            await ground.send("post", f"/approvals/{dict(change.ids)['request_id']}/claim", {}, "fin")
        return Change(body, who, change.thread_id, change.ids)

    return scene


async def settled(ground: Ground) -> Change:
    thread = await ground.thread("ada")
    counted = {"assistant_id": "gate", "input": {"case": uuid.uuid4().hex, "number": 1}}
    await ground.send("post", f"/threads/{thread}/runs/wait", counted, "ada")
    return Change({"outcome": "abort"}, thread_id=thread, ids=(("key", await ground.value(UNKNOWN, thread)),))


async def sent_again(ground: Ground) -> Change:
    thread, run = await ground.over()
    return Change(thread_id=thread, ids=(("webhook_id", str(await ground.value(DEAD, run))),))


async def erased(ground: Ground) -> Change:
    thread, _ = await ground.over()
    return Change({"subject": f"case:{thread}", "reason": "a test"}, thread_id=thread)


async def of_the_queue(ground: Ground) -> Change:
    return Change({"reason": "a test"}, ids=(("name", "trials"),))


async def switched_off(ground: Ground) -> Change:
    thread, run = await ground.run()
    return Change({"scope": "run", "name": run, "reason": "a test"}, thread_id=thread)


async def switched_on(ground: Ground) -> Change:
    change = await switched_off(ground)
    made = await ground.made("/switches", "id", change.body)
    return Change({"reason": "a test"}, thread_id=change.thread_id, ids=(("switch_id", made),))


async def drained(ground: Ground) -> Change:
    _, run = await ground.run()
    digest = await ground.value("SELECT version FROM run WHERE id = %s", run)
    return Change({"reason": "a test"}, ids=(("digest", digest),))


async def drain_ended(ground: Ground) -> Change:
    digest = await ground.value("SELECT digest FROM version_drain LIMIT 1")
    return Change({"reason": "a test"}, ids=(("digest", digest),))


async def moved(ground: Ground) -> Change:
    thread, run = await ground.run()
    older = "INSERT INTO workflow_version SELECT 'older', workflow, manifest FROM workflow_version LIMIT 1 RETURNING 1"
    await ground.value(older)
    loaded = await ground.value("SELECT version FROM run WHERE id = %s", run)
    await ground.value("UPDATE run SET version = 'older' WHERE id = %s RETURNING 1", run)
    return Change({"from": "older", "to": loaded, "reason": "a test", "run_id": run}, thread_id=thread)


async def signed_in(ground: Ground) -> Change:
    name = await ground.value(PERSON, f"oidc:{uuid.uuid4().hex}")
    return Change(ids=(("name", name),))


async def wished(ground: Ground) -> Change:
    wish = {"mode": "auto", "reason": "a test"}
    found = (await ground.send("post", "/workflows/gate/mode", wish)).json()["wish"]
    body = {"type": "reject", "request_id": found["id"], "reason": "a test"}
    return Change(body, "fin", ids=(("name", "gate"),))


async def of_a_workflow(ground: Ground) -> Change:
    return Change({"mode": "auto", "reason": "a test"}, ids=(("name", "gate"),))


STARTED = {"id": 1, "method": "run.start", "params": RUN}
NIGHTLY = RUN | {"schedule": "0 3 1 1 *"}
SENDER = {"name": "shop", "kind": "hook", "workflow": "three_stages"}
ASSISTANT = {"graph_id": "three_stages"}
WRITES: list[tuple[str, Scene]] = [
    ("post /approvals/{request_id}/decision", decided),
    ("post /approvals/{request_id}/claim", waiting({}, "fin")),
    ("post /approvals/{request_id}/release", waiting(None, "fin", claimed=True)),
    ("post /approvals/{request_id}/assign", waiting({"to": "fin"}, "olu")),
    ("post /approvals/{request_id}/delegate", waiting({"to": "fin"}, "fin")),
    ("post /approvals/{request_id}/escalate", waiting({"reason": "a test"}, "olu")),
    ("post /approvals/{request_id}/undo", lent),
    ("post /approvals/batch", batched),
    ("post /approvals/claim", waiting({"workflow": "gate"}, "fin")),
    ("post /assistants", straight(ASSISTANT)),
    ("patch /assistants/{assistant_id}", on_something("/assistants", "assistant_id", ASSISTANT, {"name": "b"})),
    ("post /assistants/{assistant_id}/latest", on_something("/assistants", "assistant_id", ASSISTANT, {"version": 1})),
    ("delete /assistants/{assistant_id}", on_something("/assistants", "assistant_id", ASSISTANT)),
    ("post /effects/{key}/resolve", settled),
    ("post /runs", straight(RUN)),
    ("post /runs/wait", straight(RUN)),
    ("post /runs/stream", straight(RUN)),
    ("post /runs/batch", straight([RUN])),
    ("post /runs/cancel", many_cancelled),
    ("post /runs/crons", straight(NIGHTLY)),
    ("patch /runs/crons/{cron_id}", on_something("/runs/crons", "cron_id", NIGHTLY, {"enabled": False})),
    ("delete /runs/crons/{cron_id}", on_something("/runs/crons", "cron_id", NIGHTLY)),
    ("put /store/items", straight(ITEM | {"value": {"b": 1}})),
    ("delete /store/items", straight(ITEM)),
    ("post /threads", straight({})),
    ("post /threads/prune", on_a_thread({"strategy": "delete"}, over=True)),
    ("post /threads/prune", on_a_thread({"strategy": "keep_latest"}, over=True)),
    ("patch /threads/{thread_id}", on_a_thread({"metadata": {"a": 1}})),
    ("delete /threads/{thread_id}", on_a_thread(None, over=True)),
    ("post /threads/{thread_id}/commands", on_a_thread(STARTED)),
    ("post /threads/{thread_id}/copy", on_a_thread(None, over=True)),
    ("post /threads/{thread_id}/runs", on_a_thread(RUN)),
    ("post /threads/{thread_id}/runs/wait", on_a_thread(RUN)),
    ("post /threads/{thread_id}/runs/stream", on_a_thread(RUN)),
    ("post /threads/{thread_id}/runs/crons", on_a_thread(NIGHTLY)),
    ("delete /threads/{thread_id}/runs/{run_id}", on_a_run(RUN, over=True)),
    ("post /threads/{thread_id}/runs/{run_id}/cancel", on_a_run()),
    ("post /threads/{thread_id}/state", on_a_thread({"values": {"words": 1}, "as_node": "__start__"}, over=True)),
    ("post /versions/migrations", moved),
    ("post /audit/erase", erased),
    ("post /queues/{name}/pause", of_the_queue),
    ("post /queues/{name}/resume", of_the_queue),
    ("post /switches", switched_off),
    ("post /switches/{switch_id}/on", switched_on),
    ("post /versions/{digest}/drain", drained),
    ("post /versions/{digest}/drain/end", drain_ended),
    ("post /webhooks/{webhook_id}/retry", sent_again),
    ("post /senders", straight(SENDER)),
    ("delete /senders/{sender_id}", on_something("/senders", "sender_id", SENDER | {"name": "another"})),
    ("post /people/{name}/block", signed_in),
    ("post /people/{name}/unblock", signed_in),
    ("post /workflows/{name}/mode", of_a_workflow),
    ("post /workflows/{name}/mode/decision", wished),
]
"""In an order in which the later find what the earlier left."""


@pytest.fixture
async def ground(trial_url: str, trial_site: Site, trial_people: People) -> AsyncIterator[Ground]:
    async with (
        httpx.AsyncClient(base_url=trial_url, timeout=30) as http,
        await psycopg.AsyncConnection.connect(trial_site.dsn, autocommit=True) as database,
    ):
        yield Ground(http, trial_people, database)


async def test_of_every_route_it_is_known_whether_it_changes_anything(ground: Ground) -> None:
    paths = (await ground.http.get("/openapi.json")).json()["paths"]

    sent = {f"{method} {path}" for path in paths for method in paths[path] if method != "get"}

    assert sent == READS | SIGNED | {route for route, _ in WRITES}


@pytest.mark.parametrize(("route", "scene"), WRITES, ids=[route for route, _ in WRITES])
async def test_a_change_is_recorded_under_its_caller_s_name(ground: Ground, route: str, scene: Scene) -> None:
    change = await scene(ground)
    method, path = route.split()
    ids = dict(change.ids) | {"thread_id": change.thread_id}
    before = await ground.value(BY, f"key:{change.who}")

    await ground.send(method, path.format_map(ids), change.body, change.who)

    assert await ground.value(BY, f"key:{change.who}") > before


async def test_a_key_is_recorded_as_it_comes_and_goes(trial_site: Site, trial_people: People) -> None:
    name = uuid.uuid4().hex
    async with open_database(trial_site.settings(), lambda _: None) as database, database.transaction() as conn:
        key = await create_key(conn, name, ["caller"])
        await revoke_key(conn, name)
        records = [link.record for link in await audit.chain(conn, f"key:{key.split('_')[1]}")]

    assert [record["event"] for record in records] == ["key.created", "key.revoked"]
    assert (records[0]["data"]["name"], records[0]["data"]["roles"]) == (name, ["caller"])
    assert key.split("_", 2)[2] not in str(records)
