"""Crons over HTTP: made, changed, found, and fired by workers, once for each time."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError, PermissionDeniedError

from tests.cases import GRAPH, client_of
from tests.conftest import People, Site
from tests.integration.test_bad_requests import problem_of
from tests.integration.test_sdk import claim_of

NOBODY = "00000000-0000-4000-8000-000000000000"
YEARLY = "0 0 1 1 *"
CLAIM = {"complaint": "I paid twice.", "account_id": "AC-70000000"}


async def test_a_cron_is_made_read_changed_and_deleted(url: str, people: People) -> None:
    client, end = client_of(url, people.ada), datetime(2999, 1, 1, tzinfo=UTC)
    made: Any = await client.crons.create(
        GRAPH, schedule="0 9 * * 1", timezone="Europe/Berlin", input=CLAIM, metadata={"a": 1}, end_time=end,
        context={"region": "eu"}, on_run_completed="keep", multitask_strategy="enqueue", interrupt_after=["assess"],
    )  # fmt: skip

    changed: Any = await client.crons.update(made["cron_id"], schedule="0 10 * * 1", metadata={"b": 2}, end_time=None)
    off: Any = await client.crons.update(made["cron_id"], enabled=False)
    await client.crons.delete(made["cron_id"])

    assert (made["schedule"], made["timezone"], made["user_id"], made["enabled"]) == (
        "0 9 * * 1", "Europe/Berlin", "key:ada", True,
    )  # fmt: skip
    assert (made["thread_id"], made["on_run_completed"]) == (None, "keep")
    assert {"input": CLAIM, "context": {"region": "eu"}, "interrupt_after": ["assess"]}.items() <= made[
        "payload"
    ].items()
    assert datetime.fromisoformat(made["next_run_date"]).astimezone(UTC).hour in (7, 8)
    assert (changed["end_time"], changed["metadata"], changed["payload"]["input"]) == (None, {"a": 1, "b": 2}, CLAIM)
    assert changed["next_run_date"] > made["next_run_date"]
    assert (off["enabled"], off["next_run_date"]) == (False, None)
    with pytest.raises(NotFoundError):
        await client.crons.delete(made["cron_id"])


async def test_a_cron_starts_runs_on_its_thread(url: str, site: Site, people: People, due: Any) -> None:
    client = client_of(url, people.ada)
    thread = (await client.threads.create())["thread_id"]
    cron: Any = await client.crons.create_for_thread(
        thread, GRAPH, schedule=YEARLY, input=claim_of(site.worlds), metadata={"ticket": "T-9"}
    )

    await due(cron["cron_id"])
    run = (await until_runs(client, thread, 1))[0]
    result: Any = await client.runs.join(thread, run["run_id"])
    after: Any = await client.http.get(f"/runs/crons/{cron['cron_id']}")

    assert result["outcome"] == "completed"
    assert run["metadata"] == {"ticket": "T-9", "cron_id": cron["cron_id"]}
    assert (after["last_run_id"], after["last_error"]) == (run["run_id"], None)
    assert datetime.fromisoformat(after["next_run_date"]) == datetime.fromisoformat(cron["next_run_date"])


@pytest.mark.parametrize("stays", [True, False])
async def test_a_cron_without_a_thread_gets_one_for_each_run(
    url: str, site: Site, people: People, due: Any, stays: bool
) -> None:
    client = client_of(url, people.ada)
    completed: Any = "keep" if stays else "delete"
    cron: Any = await client.crons.create(
        GRAPH, schedule=YEARLY, input=claim_of(site.worlds), on_run_completed=completed
    )

    for _ in range(2):
        await due(cron["cron_id"])
    kept = await client.threads.search(metadata={"cron_id": cron["cron_id"]})

    assert len({thread["thread_id"] for thread in kept}) == (2 if stays else 0)


async def test_crons_are_searched_sorted_counted_and_paged(url: str, people: People) -> None:
    client, ours = client_of(url, people.ada), uuid.uuid4().hex
    thread = (await client.threads.create())["thread_id"]
    for hour in (2, 1):
        await client.crons.create(GRAPH, schedule=f"0 {hour} 1 1 *", input=CLAIM, metadata={"mark": ours})
    await client.crons.create_for_thread(
        thread, GRAPH, schedule=YEARLY, input=CLAIM, metadata={"mark": ours}, enabled=False
    )

    async def found(**wanted: Any) -> list[Any]:
        return [cron["schedule"] for cron in await client.crons.search(metadata={"mark": ours}, **wanted)]

    assert await found() == [YEARLY, "0 1 1 1 *", "0 2 1 1 *"]
    assert await found(sort_by="next_run_date", sort_order="asc") == ["0 1 1 1 *", "0 2 1 1 *", YEARLY]
    assert await found(enabled=False) == await found(thread_id=thread) == [YEARLY]
    assert await found(assistant_id=GRAPH, limit=1, offset=1) == ["0 1 1 1 *"]
    assert await found(assistant_id=NOBODY) == []
    chosen: Any = await client.crons.search(metadata={"mark": ours}, limit=1, select=["schedule", "now"])
    assert set(chosen[0]) == {"schedule", "now"}
    assert await client.crons.count(metadata={"mark": ours}) == 3
    assert await client.crons.count(metadata={"mark": ours}, thread_id=thread) == 1
    assert await client.crons.count(assistant_id="nothing") == 0


async def test_another_tenant_sees_none_of_them(url: str, people: People, stranger: str) -> None:
    client, other = client_of(url, people.ada), client_of(url, stranger)
    thread = (await client.threads.create())["thread_id"]
    made: Any = await client.crons.create(GRAPH, schedule=YEARLY, input=CLAIM)

    with pytest.raises(NotFoundError):
        await other.crons.create_for_thread(thread, GRAPH, schedule=YEARLY, input=CLAIM)
    with pytest.raises(NotFoundError):
        await other.crons.update(made["cron_id"], enabled=False)
    with pytest.raises(NotFoundError):
        await other.crons.delete(made["cron_id"])
    with pytest.raises(NotFoundError):
        await other.http.get(f"/runs/crons/{made['cron_id']}")
    assert await other.crons.count() == 0


async def test_only_its_owner_and_operators_change_a_cron(url: str, people: People) -> None:
    made: Any = await client_of(url, people.ada).crons.create(GRAPH, schedule=YEARLY, input=CLAIM)

    for key in (people.ben, people.fin):
        with pytest.raises(PermissionDeniedError):
            await client_of(url, key).crons.update(made["cron_id"], enabled=False)
        with pytest.raises(PermissionDeniedError):
            await client_of(url, key).crons.delete(made["cron_id"])
    with pytest.raises(PermissionDeniedError):
        await client_of(url, people.fin).crons.create(GRAPH, schedule=YEARLY, input=CLAIM)
    changed: Any = await client_of(url, people.olu).crons.update(made["cron_id"], enabled=False)

    assert changed["user_id"] == "key:olu", "whoever says what runs do is their requester"


async def test_an_assistant_with_crons_stays(url: str, people: People) -> None:
    client = client_of(url, people.olu)
    assistant = (await client.assistants.create(GRAPH))["assistant_id"]
    made: Any = await client.crons.create(assistant, schedule=YEARLY, input=CLAIM)

    with pytest.raises(ConflictError, match="schedule"):
        await client.assistants.delete(assistant)
    await client.crons.delete(made["cron_id"])
    await client.assistants.delete(assistant)


BASE: dict[str, Any] = {"assistant_id": GRAPH, "schedule": YEARLY, "input": CLAIM}
BAD: list[tuple[str, str, Any, tuple[int, str]]] = [
    *(
        ("POST", "/runs/crons", BASE | wrong, (422, "invalid_request"))
        for wrong in (
            {"schedule": "* * * *"},
            {"schedule": "@daily"},
            {"schedule": "* * * * * *"},
            {"schedule": "0 0 31 2 *"},
            {"schedule": "\0 * * * *"},
            {"schedule": "1" * 9000},
            {"timezone": "Nowhere/City"},
            {"timezone": "../../etc/passwd"},
            {"end_time": "tomorrow"},
            {"input": {}},
            {"input": None},
            {"input": {"complaint": 5}},
            {"input": {"complaint": "\0", "account_id": "AC-70000000"}},
            {"metadata": {"a": "\0"}},
            {"on_run_completed": "burn"},
            {"multitask_strategy": "fight"},
            {"interrupt_before": ["nowhere"]},
            {"command": {"resume": 1}},
            {"checkpoint_id": NOBODY},
        )
    ),
    ("POST", "/runs/crons", BASE | {"durability": "exit"}, (422, "not_supported")),
    ("POST", "/runs/crons", BASE | {"config": {"configurable": {"__pregel_x": 1}}}, (422, "not_supported")),
    ("POST", "/runs/crons", BASE | {"assistant_id": "nothing"}, (404, "not_found")),
    ("POST", f"/threads/{NOBODY}/runs/crons", BASE, (404, "not_found")),
    ("POST", "/threads/x/runs/crons", BASE, (422, "invalid_request")),
    ("POST", "/runs/crons/search", {"limit": 10**9}, (422, "invalid_request")),
    ("POST", "/runs/crons/search", {"thread_id": "x"}, (422, "invalid_request")),
    ("POST", "/runs/crons/search", {"assistant_id": "\0"}, (422, "invalid_request")),
    ("POST", "/runs/crons/search", {"sort_by": "payload"}, (422, "invalid_request")),
    ("POST", "/runs/crons/count", {"metadata": {"\0": 1}}, (422, "invalid_request")),
    ("GET", f"/runs/crons/{NOBODY}", None, (404, "not_found")),
    ("GET", "/runs/crons/x", None, (422, "invalid_request")),
    ("PATCH", f"/runs/crons/{NOBODY}", {"enabled": True}, (404, "not_found")),
    ("DELETE", f"/runs/crons/{NOBODY}", None, (404, "not_found")),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), BAD)
async def test_bad_input_is_a_clear_problem(
    http: httpx.AsyncClient, people: People, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    reply = await http.request(method, path, json=body, headers={"x-api-key": people.ada})

    assert problem_of(reply) == expected


@pytest.mark.parametrize(
    "wrong", [{"schedule": "x"}, {"timezone": "x"}, {"input": {"complaint": 1}}, {"interrupt_after": ["nowhere"]}]
)
async def test_a_change_that_cannot_be_changes_nothing(
    url: str, http: httpx.AsyncClient, people: People, wrong: Any
) -> None:
    made: Any = await client_of(url, people.ada).crons.create(GRAPH, schedule=YEARLY, input=CLAIM)
    path, headers = f"/runs/crons/{made['cron_id']}", {"x-api-key": people.ada}

    refused = await http.patch(path, json=wrong, headers=headers)
    after = (await http.get(path, headers=headers)).json()

    assert problem_of(refused) == (422, "invalid_request")
    assert made.items() <= after.items()


@pytest.fixture
def due(site: Site) -> Any:
    """Make a cron due, and wait until a worker has dealt with that."""

    async def make(cron_id: str) -> None:
        async with await psycopg.AsyncConnection.connect(site.dsn, autocommit=True) as conn:
            past = datetime.now(UTC) - timedelta(hours=1)
            await conn.execute("UPDATE schedule SET next_run_at = %s WHERE id = %s", (past, cron_id))
            for _ in range(200):
                row = await (
                    await conn.execute("SELECT next_run_at FROM schedule WHERE id = %s", (cron_id,))
                ).fetchone()
                if row and row[0] != past:
                    return
                await asyncio.sleep(0.05)
        raise AssertionError("no worker fired it")

    return make


async def until_runs(client: Any, thread: str, count: int) -> list[Any]:
    for _ in range(100):
        if len(runs := await client.runs.list(thread)) >= count:
            return list(runs)
        await asyncio.sleep(0.05)
    raise AssertionError(f"there are not {count} runs")
