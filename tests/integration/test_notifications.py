"""Notifications: kept with what they tell of, sent until taken, signed; they say where to look and never decide."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from contracts.approval import JsonObject
from engine.approvals.model import ApprovalRequest
from engine.approvals.requests import get_request
from engine.approvals.timers import DueRequest, fire
from engine.notifications.routes import Route, register_routes
from engine.notifications.shapes import Address
from engine.runs.model import Cancellation, Run
from engine.webhooks.delivery import Courier
from engine.webhooks.sending import Sender
from engine.webhooks.targets import Targets
from engine.webhooks.webhooks import retry_webhook
from tests.conftest import TRIALS
from tests.engines import TENANT, Bench, as_owner, fresh_bench
from tests.receivers import SECRET, Receiver, answer, guide_code, receiving

LOCAL = Targets.of(["127.0.0.0/8"])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder, registry=TRIALS) as bench:
        yield replace(bench, workflow="gate")


@pytest.fixture(autouse=True)
async def nothing_waits(bench: Bench) -> None:
    await bench.rows("DELETE FROM webhook")


async def routed(bench: Bench, *routes: dict[str, Any]) -> list[Route]:
    made = [Route.model_validate({"name": "chat"} | route) for route in routes]
    async with bench.engine.database.transaction() as conn:
        await register_routes(conn, made)
    return made


def courier(bench: Bench, routes: list[Route], **parts: Any) -> Courier:
    known = {route.name: Address(route) for route in routes}
    made: dict[str, Any] = {"public_url": "https://gate.example"} | parts
    return Courier(bench.engine.database, Sender(LOCAL, SECRET), known, **made)


async def asked(bench: Bench, **options: Any) -> tuple[Run, ApprovalRequest]:
    run = await bench.accept({"case": "kept in the state", "number": 77}, **options)
    await bench.go_on()
    return run, await bench.request_of(run)


def due(request: ApprovalRequest) -> DueRequest:
    return DueRequest(request.id, request.tenant, request.thread_id, datetime.now(UTC))


async def told(bench: Bench) -> list[tuple[str, str]]:
    """Route and event of everything that is kept."""
    rows = await bench.rows("SELECT route, payload FROM webhook ORDER BY created_at, route")
    return [(row["route"], row["payload"]["data"]["event"]) for row in rows]


async def test_a_request_is_told_with_what_people_need_and_no_more(bench: Bench, receiver: Receiver) -> None:
    routes = await routed(bench, {"url": receiver.url})
    run, request = await asked(bench)

    await courier(bench, routes).deliver_due()

    ((first, headers, body),) = receiver.got
    message = guide_code()["verified"]("whsec_" + _base64(SECRET), headers, body)
    data = message["data"]
    assert (first.split()[0], message["type"]) == ("POST", "approval.requested")
    assert (data["request_id"], data["thread_id"], data["queue"]) == (request.id, run.thread_id, "trials")
    assert (data["role"], data["url"]) == ("finance", f"https://gate.example/approvals/{request.id}")
    assert data["due_at"]
    assert data["expires_at"]
    assert {*data} & {"args", "evidence", "facts", "action_digest", "reason", "requester"} == set()


@pytest.mark.parametrize("forge", ["body", "late", "secret"])
async def test_what_was_forged_or_kept_back_fails_the_check(bench: Bench, receiver: Receiver, forge: str) -> None:
    routes = await routed(bench, {"url": receiver.url})
    await asked(bench)
    await courier(bench, routes).deliver_due()
    ((_, headers, body),) = receiver.got
    secret, late = "whsec_" + _base64(SECRET), str(int(headers["webhook-timestamp"]) - 400)

    attempts: dict[str, tuple[str, dict[str, str], bytes]] = {
        "body": (secret, headers, body.replace(b"77", b"78")),
        "late": (secret, {**headers, "webhook-timestamp": late}, body),
        "secret": ("whsec_" + _base64(bytes(32)), headers, body),
    }
    with pytest.raises(ValueError, match="webhook"):
        guide_code()["verified"](*attempts[forge])


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({}, ["requested", "decided"]),
        ({"events": ["decided"]}, ["decided"]),
        ({"queues": ["trials", "x"]}, ["requested", "decided"]),
        ({"queues": ["another"]}, []),
        ({"tenant": "another"}, []),
    ],
)
async def test_a_route_hears_of_what_it_was_made_for(bench: Bench, route: dict[str, Any], expected: list[str]) -> None:
    await routed(bench, {"url": "http://127.0.0.1:1/"} | route)

    run, _ = await asked(bench)
    await bench.approve(run, {"type": "reject", "reason": "kept to ourselves"})

    assert [event for _, event in await told(bench)] == expected
    assert "kept to ourselves" not in json.dumps(await _payloads(bench))


async def test_the_end_of_a_request_is_told_whoever_ends_it(bench: Bench) -> None:
    await routed(bench, {"url": "http://127.0.0.1:1/", "events": ["decided", "expired"]})
    (by_person, _), (_, too_late), (stopped, _) = [await asked(bench) for _ in range(3)]

    await bench.approve(by_person)
    await bench.rows("UPDATE approval SET expires_at = now() - interval '1s' WHERE id = %s", too_late.id)
    async with bench.engine.database.transaction() as conn:
        assert await fire(conn, due(too_late), bench.wake_ups) == ["expired"]
    await bench.engine.intake.cancel(await bench.again(stopped), Cancellation("key:ada"))

    ends = [(data["event"], data["decision"], data["by"]) for data in await _payloads(bench)]
    assert ends == [
        ("decided", "approve", "key:fin"),
        ("expired", "expired", "system"),
        ("decided", "cancelled", "key:ada"),
    ]


async def test_time_that_runs_out_is_told_in_time(bench: Bench) -> None:
    await routed(bench, {"url": "http://127.0.0.1:1/", "events": ["warned", "breached", "expired"]})
    _, request = await asked(bench)

    for minutes in (10, 50, 50, 61):
        now = datetime.now(UTC) + timedelta(minutes=minutes)
        async with bench.engine.database.transaction() as conn:
            await fire(conn, due(request), bench.wake_ups, now=now)

    assert [event for _, event in await told(bench)] == ["warned", "breached", "expired"]


async def test_a_change_that_is_not_kept_is_told_to_nobody(bench: Bench) -> None:
    await routed(bench, {"url": "http://127.0.0.1:1/"})
    _, request = await asked(bench)
    await bench.rows("DELETE FROM webhook")
    await bench.rows("UPDATE approval SET expires_at = now() - interval '1s' WHERE id = %s", request.id)

    async with as_owner(bench.engine.database) as conn, conn.transaction(force_rollback=True):
        assert await fire(conn, due(request), bench.wake_ups) == ["expired"]

    assert await told(bench) == []
    async with bench.engine.database.transaction() as conn:
        assert (await get_request(conn, request.id, tenant=TENANT)).status == "pending"


async def test_a_receiver_that_is_down_is_tried_again_and_then_by_hand(bench: Bench, receiver: Receiver) -> None:
    receiver.answers[:] = [answer(503), b"", answer(500)]
    routes = await routed(bench, {"url": receiver.url})
    run, _ = await asked(bench)

    for _ in range(3):
        await courier(bench, routes, attempts=3).deliver_due()
        await bench.rows("UPDATE webhook SET due_at = now() WHERE status = 'pending'")
    [dead] = await bench.rows("SELECT id, status, last_error FROM webhook")
    async with bench.engine.database.transaction() as conn:
        await retry_webhook(conn, str(dead["id"]), tenant=TENANT, by="key:olu")
    await courier(bench, routes).deliver_due()

    assert (dead["status"], dead["last_error"], len(receiver.got)) == ("dead", "500", 4)
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1, "receivers can tell repeats"
    ends = [data["status"] for event, data in await bench.events(run) if event == "webhook.ended"]
    assert ends == ["dead", "delivered"]


async def test_no_address_of_a_route_is_stored_or_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    routes = await routed(
        bench, {"url": "http://s3cr3t-host.invalid/s3cr3t-path"}, {"name": "in", "url": "http://10.0.0.1/s3cr3t"}
    )
    run, _ = await asked(bench)

    await courier(bench, routes, attempts=1).deliver_due()

    rows = await bench.rows("SELECT webhook::text AS text, last_error, status FROM webhook")
    assert [row["status"] for row in rows] == ["dead", "dead"]
    kept = [row["text"] for row in rows] + [
        row["text"] for row in await bench.rows("SELECT r::text AS text FROM notify_route r")
    ]
    assert "s3cr3t" not in " ".join(kept) + json.dumps(await bench.events(run)) + caplog.text


async def test_a_route_that_a_worker_does_not_know_is_left_for_another(bench: Bench, receiver: Receiver) -> None:
    routes = await routed(bench, {"url": receiver.url})
    await asked(bench)

    await courier(bench, []).deliver_due()
    [waiting] = await bench.rows("SELECT status, last_error FROM webhook")
    await bench.rows("UPDATE webhook SET due_at = now()")
    await courier(bench, routes).deliver_due()

    assert (waiting["status"], waiting["last_error"]) == ("pending", "no route 'chat' is configured at this worker")
    assert len(receiver.got) == 1


async def test_a_link_opens_and_never_decides(bench: Bench, receiver: Receiver) -> None:
    routes = await routed(bench, {"url": receiver.url, "shape": "slack"})
    _, request = await asked(bench)
    await courier(bench, routes).deliver_due()

    [button] = [block["elements"][0] for block in _body(receiver)["blocks"] if block["type"] == "actions"]  # type: ignore[union-attr,index,call-overload]

    assert button["url"] == f"https://gate.example/approvals/{request.id}"
    async with bench.engine.database.transaction() as conn:
        assert (await get_request(conn, request.id, tenant=TENANT)).status == "pending"


async def test_routes_that_are_no_longer_configured_hear_nothing_more(bench: Bench) -> None:
    await routed(bench, {"url": "http://127.0.0.1:1/"}, {"name": "mail", "url": "http://127.0.0.1:1/"})
    await routed(bench, {"name": "mail", "url": "http://127.0.0.1:1/", "events": ["requested"]})

    await asked(bench)
    await routed(bench)
    await asked(bench)

    assert await told(bench) == [("mail", "requested")]


async def test_a_route_is_tried_by_command(receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("GATEHOUSE_WEBHOOK_ALLOW", '["127.0.0.0/8"]')
    monkeypatch.setenv("GATEHOUSE_NOTIFY", json.dumps([{"name": "chat", "url": receiver.url, "shape": "slack"}]))
    receiver.answers[:] = [answer(200), answer(404)]

    done = [
        await asyncio.to_thread(CliRunner().invoke, app, ["webhooks", "test", name]) for name in ("chat", "chat", "x")
    ]

    assert [result.exit_code for result in done] == [0, 2, 2]
    assert "secret" not in "".join(result.output for result in done)
    assert [first.split()[0] for first, _, _ in receiver.got] == ["POST", "POST"]
    assert "test message" in receiver.got[0][2].decode()
    assert [] not in [block.get("fields") for block in json.loads(receiver.got[0][2])["blocks"]], "Slack refuses that"


def _base64(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


def _body(receiver: Receiver) -> JsonObject:
    body: JsonObject = json.loads(receiver.got[0][2])
    return body


async def _payloads(bench: Bench) -> list[dict[str, Any]]:
    return [row["payload"]["data"] for row in await bench.rows("SELECT payload FROM webhook ORDER BY created_at")]
