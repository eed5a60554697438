"""Canaries: shown like any request, told once decided, counted for themselves, and never able to do anything."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.door import who
from contracts.errors import ApprovalRequired
from engine.access.keys import Principal
from engine.approvals.backlog import approval_backlog
from engine.approvals.measures import Window, review_measures
from engine.approvals.requests import require_approved
from engine.approvals.timers import due_requests
from engine.runs.runs import get_run
from engine.wiring import Engine
from engine.worker.canaries import Lures
from tests.engines import FIN, TENANT, Bench, fresh_bench

OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)
QUEUE = "billing-disputes"


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    """Two disputes that were approved, and three that wait."""
    async with fresh_bench(postgres, folder, canaries_per_day=1000) as bench:
        for _ in range(2):
            run, _ = await bench.parked_case()
            await bench.approve(run)
        for _ in range(3):
            await bench.parked_case()
        yield bench


@pytest.fixture(autouse=True)
async def no_canary(bench: Bench) -> None:
    await bench.rows("DELETE FROM canary")


@pytest.fixture
async def canary(bench: Bench) -> str:
    """One that is the most urgent of all."""
    made = await lures(bench).put(QUEUE)
    assert made
    await bench.rows("UPDATE canary SET due_at = now() - interval '1 min'")
    return made


def lures(bench: Bench, a_day: int = 1000) -> Lures:
    return Lures(bench.engine.database, bench.engine.catalog, a_day, every_s=60)


async def ask(bench: Bench, method: str, path: str, by: Principal = FIN, **body: Any) -> Any:
    def opened() -> Any:
        raise AssertionError("the engine is open")

    app = create_app(opened, max_body_bytes=100_000)
    engine: Engine = bench.engine
    app.state.engine = engine
    app.dependency_overrides[who] = lambda: by
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        reply = await http.request(method, path, json=body or None)
    return reply.json() | {"status_code": reply.status_code} if isinstance(reply.json(), dict) else reply.json()


async def decide(bench: Bench, canary: str, said: str, **more: Any) -> Any:
    shown = await ask(bench, "GET", f"/approvals/{canary}")
    body = {"type": said, "action_digest": shown["action_digest"]} | more
    return await ask(bench, "POST", f"/approvals/{canary}/decision", **body)


async def test_a_canary_looks_like_any_request_until_it_is_decided(bench: Bench, canary: str) -> None:
    listed = await ask(bench, "GET", "/approvals")
    real = await ask(bench, "GET", f"/approvals/{listed[-1]['request_id']}")
    shown = await ask(bench, "GET", f"/approvals/{canary}")

    assert [len(listed), listed[0]["request_id"]] == [4, canary]
    assert {*shown} == {*real}
    assert "canary" not in str(shown)
    assert {name for name in shown if type(shown[name]) is not type(real[name])} == set()
    assert shown["action"]["args"]["amount_cents"] == 250_000
    assert "250.00" in shown["summary"], "what is written speaks of another sum than what would be done"


@pytest.mark.parametrize(("limit", "offset"), [(2, 0), (2, 1), (2, 2), (1, 3), (2, 3), (3, 4), (500, 0)])
async def test_pages_hold_every_request_and_canary_once(bench: Bench, canary: str, limit: int, offset: int) -> None:
    whole = [one["request_id"] for one in await ask(bench, "GET", "/approvals?limit=500")]
    for place in (
        "now() - interval '1 h'",
        "now() + interval '9 days'",
        f"(SELECT due_at FROM approval WHERE id = '{whole[2]}')",
    ):
        await bench.rows(f"UPDATE canary SET due_at = {place}")
        whole = [one["request_id"] for one in await ask(bench, "GET", "/approvals?limit=500")]

        page = [one["request_id"] for one in await ask(bench, "GET", f"/approvals?limit={limit}&offset={offset}")]

        assert (len(whole), len({*whole})) == (4, 4)
        assert page == whole[offset : offset + limit]


@pytest.mark.parametrize(("said", "caught"), [("approve", False), ("reject", True), ("respond", True)])
async def test_after_deciding_one_is_told_what_it_was(bench: Bench, canary: str, said: str, caught: bool) -> None:
    answer = await decide(bench, canary, said, **({"message": "Why so much?"} if said == "respond" else {}))
    again = await decide(bench, canary, "approve")

    assert answer["canary"]["caught"] is caught
    assert answer["canary"]["wrong"] == "amount_cents is 10 times what it was. A refund never exceeds what is owed."
    assert (answer["decision"]["type"], answer["votes"]) == (said, [{"by": "key:fin", "type": said}])
    assert (again["status_code"], again["code"]) == (409, "already_decided")
    assert canary not in [one["request_id"] for one in await ask(bench, "GET", "/approvals")]


async def test_of_two_who_decide_a_canary_at_once_one_wins(bench: Bench, canary: str) -> None:
    answers = await asyncio.gather(decide(bench, canary, "approve"), decide(bench, canary, "reject"))

    assert sorted(answer["status_code"] for answer in answers) == [200, 409]
    [row] = await bench.rows("SELECT decision FROM canary")
    assert row["decision"] == next(answer["decision"]["type"] for answer in answers if answer["status_code"] == 200)


async def test_an_approved_canary_can_never_be_consumed(bench: Bench, canary: str) -> None:
    shown = await ask(bench, "GET", f"/approvals/{canary}")
    await decide(bench, canary, "approve")
    [row] = await bench.rows("SELECT id, run_id FROM approval WHERE status = 'pending' LIMIT 1")

    async with bench.engine.database.transaction() as conn:
        run = await get_run(conn, str(row["run_id"]), tenant=TENANT)
        with pytest.raises(ApprovalRequired):
            await require_approved(conn, run, canary, shown["action_digest"], tool="billing.issue_refund")
    assert (
        await bench.rows("SELECT 1 FROM approval WHERE id = %s OR action_digest = %s", canary, shown["action_digest"])
        == []
    )
    assert (
        await bench.rows("SELECT 1 FROM run WHERE id = %s OR thread_id = %s", shown["run_id"], shown["thread_id"]) == []
    )
    undone = await ask(bench, "POST", f"/approvals/{canary}/undo", OLU, reason="try")
    assert undone["status_code"] == 404


@pytest.mark.parametrize(
    ("by", "more", "code"),
    [
        (Principal("key:rex", frozenset({"reviewer"}), frozenset(), TENANT), {}, "forbidden"),
        (Principal("key:ada", frozenset({"reviewer"}), frozenset({"finance"}), TENANT), {}, "forbidden"),
        (Principal("key:fin", frozenset({"reviewer"}), frozenset({"finance"}), "another"), {}, "not_found"),
        (FIN, {"action_digest": "0" * 64}, "digest_mismatch"),
    ],
)
async def test_a_canary_refuses_whom_a_request_would(
    bench: Bench, canary: str, by: Principal, more: Any, code: str
) -> None:
    shown = await ask(bench, "GET", f"/approvals/{canary}")
    body = {"type": "approve", "action_digest": shown["action_digest"]} | more

    refused = await ask(bench, "POST", f"/approvals/{canary}/decision", by, **body)

    assert refused["code"] == code
    assert (await bench.rows("SELECT decision FROM canary"))[0]["decision"] is None


async def test_a_canary_is_claimed_next_when_it_is_the_most_urgent(bench: Bench, canary: str) -> None:
    bob = Principal("key:bob", FIN.roles, FIN.approver_roles, TENANT)

    first = await ask(bench, "POST", "/approvals/claim", seconds=60)
    held = await ask(bench, "POST", f"/approvals/{canary}/claim", bob, seconds=60)
    second = await ask(bench, "POST", "/approvals/claim", bob, seconds=60)
    back = await ask(bench, "POST", f"/approvals/{canary}/release", FIN, **{})

    assert (first["request_id"], first["claimed_by"]) == (canary, "key:fin")
    assert held["code"] == "held_by_another"
    assert second["request_id"] != canary
    assert back["claimed_by"] is None
    await bench.rows("UPDATE approval SET claimed_by = NULL, claimed_at = NULL, claimed_until = NULL")


async def test_a_batch_decides_a_canary_among_the_others(bench: Bench, canary: str) -> None:
    run, request = await bench.parked_case()
    ids = [canary, request.id]
    shown = await ask(bench, "POST", "/approvals/batch/preview", request_ids=ids)
    assert shown["status_code"] == 200, shown

    done = await ask(
        bench, "POST", "/approvals/batch", request_ids=ids, batch_digest=shown["batch_digest"], type="approve"
    )

    told = {one["request_id"]: one.get("canary", {}).get("caught") for one in done["decided"]}
    assert (told, done["refused"]) == ({canary: False, request.id: None}, [])
    assert (await bench.request_of(run)).status == "approved"


async def figures(bench: Bench) -> tuple[Any, ...]:
    """Everything that counts requests, and what the queue's canaries came to."""
    since = datetime.now(UTC) - timedelta(days=30)
    async with bench.engine.database.reading() as conn:
        [queue] = (await review_measures(conn, Window(TENANT, since), {}))["queues"]
        backlog = [{**row, "oldest_s": 0} for row in await approval_backlog(conn)]
        due = await due_requests(conn, now=datetime.now(UTC) + timedelta(days=9))
    [shown] = [one for one in await ask(bench, "GET", "/queues", OLU) if one["name"] == QUEUE]
    counts = [queue[name] for name in ("asked", "decided", "depth", "overdue", "breached")]
    return counts, backlog, len(due), [shown[name] for name in ("depth", "open", "overdue")], queue["canaries"]


async def test_a_canary_counts_nowhere_but_as_a_canary(bench: Bench) -> None:
    before = await figures(bench)
    made = await lures(bench).put(QUEUE)
    await bench.rows("UPDATE canary SET due_at = now() - interval '1 h'")
    waiting = await figures(bench)
    await decide(bench, str(made), "reject")
    after = await figures(bench)

    assert waiting == before
    assert after[:-1] == before[:-1]
    assert after[-1] == {"decided": 1, "caught": 1, "share": 1.0}


async def test_that_there_are_canaries_is_told_and_how_many(bench: Bench, canary: str) -> None:
    [queue] = [one for one in await ask(bench, "GET", "/queues") if one["name"] == QUEUE]

    assert queue["canaries"] == {"a_day": 1000, "asked": 1}


async def test_a_queue_gets_no_more_than_its_share_and_no_copy_twice(bench: Bench) -> None:
    few = [await lures(bench, a_day=1).put(QUEUE) for _ in range(3)]
    more = [await lures(bench).put(QUEUE) for _ in range(9)]

    sources = [row["copied_from"] for row in await bench.rows("SELECT copied_from FROM canary")]
    assert [bool(one) for one in few] == [True, False, False]
    assert len(sources) == len({*sources}) == 1 + sum(map(bool, more))


async def test_none_is_put_where_none_is_wanted(bench: Bench) -> None:
    assert [name for _ in range(50) for name in await replace(lures(bench), a_day=0).put_some()] == []
    assert (await ask(bench, "GET", f"/approvals/{uuid.uuid4()}"))["code"] == "not_found"


async def test_an_expired_canary_is_gone_and_refused(bench: Bench, canary: str) -> None:
    await bench.rows("UPDATE canary SET expires_at = now()")

    assert canary not in [one["request_id"] for one in await ask(bench, "GET", "/approvals")]
    assert (await decide(bench, canary, "reject"))["code"] == "approval_expired"
