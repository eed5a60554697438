"""Alarms: raised once for what goes on, told by the routes that want them, delivered like every notice."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.audit import audit
from engine.limits.breakers import Terms, heard
from engine.notifications.alarms import AlarmNotice
from engine.notifications.routes import Route, register_routes
from engine.notifications.shapes import Address
from engine.operations.watchman import Watchman
from engine.webhooks.delivery import Courier
from engine.webhooks.sending import Sender
from engine.webhooks.targets import Targets
from engine.webhooks.webhooks import retry_webhook
from tests.engines import TENANT, Bench, fresh_bench
from tests.receivers import SECRET, Receiver, answer, receiving

AT_ONCE = Terms(failures=1, window_s=60, open_s=30)


@pytest.fixture(scope="module")
async def shared(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture
async def bench(shared: Bench) -> Bench:
    """Two routes want alarms, one of another tenant; one hears of a queue, one of decisions alone."""
    await shared.rows("TRUNCATE run, alarm, breaker, webhook, model_use CASCADE")
    routes = [
        {"name": "all"},
        {"name": "alarms", "events": ["alarm"]},
        {"name": "queue", "queues": ["refunds"]},
        {"name": "decisions", "events": ["decided"]},
        {"name": "others", "tenant": "another"},
    ]
    async with shared.engine.database.transaction() as conn:
        made = [Route.model_validate({"url": "https://chat.example/x"} | route) for route in routes]
        await register_routes(conn, made)
    return shared


async def told(bench: Bench) -> list[tuple[str, str, str]]:
    rows = await bench.rows("SELECT route, payload FROM webhook ORDER BY created_at, route")
    return [(row["route"], row["payload"]["data"]["alarm"], row["payload"]["data"]["summary"]) for row in rows]


async def fail(bench: Bench, name: str = "tool:billing") -> None:
    async with bench.engine.database.transaction() as conn:
        await heard(conn, name, tenant=TENANT, failed=True, terms=AT_ONCE)


async def ended(bench: Bench, *outcomes: str, tenant: str = TENANT, cost: int = 0) -> None:
    """Cases of a workflow that have just ended so."""
    for outcome in outcomes:
        thread, run = str(uuid.uuid4()), str(uuid.uuid4())
        await bench.rows("INSERT INTO thread (id, tenant, workflow) VALUES (%s, %s, 'w')", thread, tenant)
        await bench.rows(
            "INSERT INTO run (id, thread_id, case_id, tenant, workflow, version, kind, requester, actor, status,"
            " outcome, finished_at) VALUES (%s, %s, %s, %s, 'w', 'v', 'input', 'r', 'a', 'success', %s, now())",
            *(run, thread, run, tenant, outcome),
        )
        if cost:
            await bench.rows(
                "INSERT INTO model_use (tenant, case_id, stage, route, currency, calls, failed, tokens_read,"
                " tokens_written, ms, cost) VALUES (%s, %s, 's', 'm', 'EUR', 1, 0, 1, 1, 1, %s)",
                *(tenant, run, cost),
            )


def watchman(bench: Bench, error_rate: float = 0.2, **cost: float) -> Watchman:
    return Watchman(bench.engine.database, error_rate, cost)


async def test_a_breaker_that_opens_is_told_once(bench: Bench) -> None:
    await fail(bench)
    await bench.rows("DELETE FROM breaker")
    await fail(bench)

    summary = "tool:billing is left alone after 1 failures one after another"
    assert await told(bench) == [("alarms", "breaker", summary), ("all", "breaker", summary)]


async def test_what_still_goes_on_an_hour_later_is_told_again(bench: Bench) -> None:
    await fail(bench)
    await bench.rows("UPDATE alarm SET raised_at = raised_at - interval '61 minutes'")
    await bench.rows("DELETE FROM breaker")
    await fail(bench)

    assert len(await told(bench)) == 4


@pytest.mark.parametrize(
    ("outcomes", "alarms"),
    [
        (("completed",) * 8 + ("failed_safe",) * 2, 1),
        (("completed",) * 9 + ("failed_safe",), 0),
        (("failed_safe",) * 9, 0),
        (("rejected", "expired", "handed_off", "cancelled") * 3, 0),
    ],
)
async def test_an_alarm_is_raised_where_many_cases_fail(bench: Bench, outcomes: tuple[str, ...], alarms: int) -> None:
    await ended(bench, *outcomes)

    assert [await watchman(bench).look(), await watchman(bench).look()] == [alarms, 0]
    assert {kind for _, kind, _ in await told(bench)} == ({"errors"} if alarms else set())


async def test_failures_of_one_tenant_are_no_alarm_of_another(bench: Bench) -> None:
    await ended(bench, *(["failed_safe"] * 10), tenant="another")

    assert await watchman(bench).look() == 1
    assert await told(bench) == [("others", "errors", "w: 10 of 10 cases failed in the last hour")]


@pytest.mark.parametrize(("limits", "alarms"), [({"EUR": 1.5}, 1), ({"EUR": 2.5}, 0), ({"USD": 0.1}, 0), ({}, 0)])
async def test_an_alarm_is_raised_where_models_cost_much(bench: Bench, limits: dict[str, float], alarms: int) -> None:
    await ended(bench, "completed", "completed", cost=1_000_000)

    assert await watchman(bench, **limits).look() == alarms
    if alarms:
        assert (await told(bench))[0][2] == "w: its models cost 2.00 EUR in a day, more than 1.50"


async def test_an_alarm_is_delivered_and_recorded_without_a_case(bench: Bench) -> None:
    await bench.rows("DELETE FROM notify_route WHERE name <> 'all'")
    await fail(bench)
    async with receiving() as receiver:
        receiver.answers = [answer(410)]
        courier = made_courier(bench, receiver)
        await courier.deliver_due()
        [dead] = await bench.rows("SELECT id, status FROM webhook")
        async with bench.engine.database.transaction() as conn:
            again = await retry_webhook(conn, str(dead["id"]), tenant=TENANT, by="key:olu")
        await courier.deliver_due()
        body = json.loads(receiver.got[-1][2])
    async with bench.engine.database.reading() as conn:
        events = [link.record["event"] for link in await audit.chain(conn, f"switches:{TENANT}")]

    assert (dead["status"], again.run_id) == ("dead", None)
    assert (body["type"], body["data"]["url"]) == ("alarm.raised", "https://gate.example/breakers")
    assert events[-4:] == ["alarm.raised", "webhook.ended", "webhook.retried", "webhook.ended"]


def made_courier(bench: Bench, receiver: Receiver) -> Courier:
    route = Route.model_validate({"name": "all", "url": receiver.url})
    sender = Sender(Targets.of(["127.0.0.0/8"]), SECRET)
    return Courier(bench.engine.database, sender, {"all": Address(route)}, "https://gate.example")


@pytest.mark.parametrize("shape", ["slack", "email"])
def test_an_alarm_reads_well_in_chat_and_mail(shape: str) -> None:
    to = ["ops@example.com"] if shape == "email" else []
    route = Route.model_validate({"name": "x", "url": "https://chat.example/x", "shape": shape, "to": to})
    facts: Any = {"workflow": "w", "failed": 3, "nested": {"left": "out"}}
    notice = AlarmNotice("errors", TENANT, "w: 3 of 10 cases failed", "/stats/outcomes", facts)

    text = json.dumps(Address(route).body(notice.payload(), "https://gate.example"))

    assert "An alarm: w: 3 of 10 cases failed" in text
    assert "https://gate.example/stats/outcomes" in text
    assert "request" not in text.lower()
