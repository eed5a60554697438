"""Webhooks: kept with the end of a run, sent until taken, signed, and never sent where they may not go."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import AlreadySettled, NotFound, WebhookRefused
from engine.operations.stuck import find_stuck
from engine.runs import runs
from engine.runs.model import Cancellation, NewRun, Run
from engine.webhooks.delivery import Courier
from engine.webhooks.sending import Sender
from engine.webhooks.targets import Targets
from engine.webhooks.webhooks import Webhook, retry_webhook, search_webhooks
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
    async with fresh_bench(postgres, folder, registry=TRIALS, webhook_allow=["127.0.0.0/8"]) as bench:
        yield replace(bench, workflow="three_stages")


@pytest.fixture(autouse=True)
async def nothing_waits(bench: Bench) -> None:
    await bench.rows("DELETE FROM webhook")


def courier(bench: Bench, *, targets: Targets = LOCAL, **parts: Any) -> Courier:
    return Courier(bench.engine.database, Sender(targets, SECRET), **parts)


async def accepted(bench: Bench, url: str, workflow: str = "three_stages", **value: Any) -> Run:
    run = await replace(bench, workflow=workflow).accept(value or {"text": "a b"}, webhook=url)
    await bench.go_on()
    return await bench.again(run)


async def kept(bench: Bench) -> list[Webhook]:
    async with bench.engine.database.transaction() as conn:
        return await search_webhooks(conn, tenant=TENANT, status=None)


async def test_a_run_that_ends_is_told_with_its_ids_and_never_its_state(bench: Bench, receiver: Receiver) -> None:
    run = await accepted(bench, receiver.url, text="the secret of the case")

    await courier(bench, public_url="https://gatehouse.example/").deliver_due()

    ((first, headers, body),) = receiver.got
    told = json.loads(body)
    assert (first, headers["content-type"]) == ("POST /hook?token=secret HTTP/1.1", "application/json")
    assert (told["type"], {*told}) == ("run.ended", {"type", "timestamp", "data"})
    assert (told["data"]["run_id"], told["data"]["thread_id"], told["data"]["workflow"]) == (
        run.id,
        run.thread_id,
        "three_stages",
    )
    assert (told["data"]["status"], told["data"]["outcome"]) == ("success", "completed")
    assert told["data"]["url"] == f"https://gatehouse.example/threads/{run.thread_id}/runs/{run.id}"
    assert b"secret of the case" not in body


async def test_what_is_sent_passes_the_check_that_the_guide_shows(bench: Bench, receiver: Receiver) -> None:
    await accepted(bench, receiver.url)
    await courier(bench).deliver_due()

    ((_, headers, body),) = receiver.got
    verify, secret = guide_code()["verified"], "whsec_" + base64.b64encode(SECRET).decode()
    late = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 400)}

    assert verify(secret, headers, body)["data"]["status"] == "success"
    for forged in (
        (secret, headers, body + b" "),
        (secret, {**headers, "webhook-id": "msg_other"}, body),
        (secret, late, body),
        ("whsec_" + base64.b64encode(bytes(32)).decode(), headers, body),
    ):
        with pytest.raises(ValueError, match="webhook"):
            verify(*forged)


@pytest.mark.parametrize(
    ("workflow", "value", "status", "outcome"),
    [
        ("fails", {"message": "x"}, "error", "failed_safe"),
        ("question", {"topic": "tea"}, "interrupted", None),
    ],
)
async def test_every_end_is_told(
    bench: Bench, receiver: Receiver, workflow: str, value: Any, status: str, outcome: str | None
) -> None:
    await accepted(bench, receiver.url, workflow, **value)

    await courier(bench).deliver_due()

    told = json.loads(receiver.got[0][2])["data"]
    assert (told["status"], told["outcome"]) == (status, outcome)


async def test_a_run_that_was_cancelled_before_it_began_is_told(bench: Bench, receiver: Receiver) -> None:
    run = await bench.accept({"text": "a"}, webhook=receiver.url)
    await bench.engine.intake.cancel(run, Cancellation("key:ada", "interrupt"))

    assert [w.payload["data"]["outcome"] for w in await kept(bench)] == ["cancelled"]  # type: ignore[call-overload,index]


@pytest.mark.parametrize(
    ("answers", "status", "error"),
    [
        ([answer(200)], "delivered", ""),
        ([answer(299)], "delivered", ""),
        ([answer(500)], "pending", "500"),
        ([answer(404)], "pending", "404"),
        ([answer(302, "location: http://127.0.0.1:1/")], "pending", "302"),
        ([b""], "pending", "RemoteProtocolError"),
        ([b"nonsense\r\n\r\n"], "pending", "RemoteProtocolError"),
        ([answer(410)], "dead", "410"),
    ],
)
async def test_only_a_success_is_a_delivery(
    bench: Bench, receiver: Receiver, answers: list[bytes], status: str, error: str
) -> None:
    receiver.answers[:] = answers
    await accepted(bench, receiver.url)

    await courier(bench).deliver_due()

    assert [(w.status, w.attempts, w.last_error) for w in await kept(bench)] == [(status, 1, error)]
    assert len(receiver.got) == 1, "a redirect is not followed"


async def test_pauses_grow_and_end_and_an_operator_may_send_it_again(bench: Bench, receiver: Receiver) -> None:
    receiver.answers[:] = [answer(500)] * 4
    run = await accepted(bench, receiver.url)
    pauses = []

    for _ in range(6):
        await courier(bench, attempts=4, retry_s=10).deliver_due()
        (row,) = await bench.rows("SELECT extract(epoch FROM due_at - now())::float8 AS s FROM webhook")
        pauses.append(row["s"])
        await bench.rows("UPDATE webhook SET due_at = now() WHERE status = 'pending'")
    (dead,) = await kept(bench)
    async with bench.engine.database.transaction() as conn:
        stuck = [f for f in await find_stuck(conn, tenant=TENANT) if f["kind"] == "dead_webhook"]
        await retry_webhook(conn, dead.id, tenant=TENANT, by="key:olu")
    await courier(bench).deliver_due()

    assert pauses[:3] == pytest.approx([10, 40, 160], rel=0.15)
    assert pauses[3:] == [None] * 3
    assert (dead.status, dead.attempts, [w.status for w in await kept(bench)]) == ("dead", 4, ["delivered"])
    assert [(found["webhook_id"], "secret" in found["says"]) for found in stuck] == [(dead.id, False)]
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    ends = [data.get("status", event) for event, data in await bench.events(run) if event.startswith("webhook")]
    assert ends == ["dead", "webhook.retried", "delivered"]


async def test_only_a_dead_webhook_of_ones_tenant_is_sent_again(bench: Bench, receiver: Receiver) -> None:
    await accepted(bench, receiver.url)
    (pending,) = await kept(bench)

    async with bench.engine.database.transaction() as conn:
        with pytest.raises(AlreadySettled):
            await retry_webhook(conn, pending.id, tenant=TENANT, by="key:olu")
        with pytest.raises(NotFound):
            await retry_webhook(conn, pending.id, tenant="another", by="key:olu")


async def test_a_fault_of_ours_counts_as_an_attempt(bench: Bench, receiver: Receiver) -> None:
    await accepted(bench, receiver.url)
    await bench.rows("UPDATE webhook SET payload = '{}'")

    await courier(bench, attempts=1).deliver_due()

    [webhook] = await kept(bench)
    assert (webhook.status, webhook.last_error, receiver.got) == ("dead", "KeyError", [])


async def test_a_receiver_that_is_silent_holds_up_no_other(
    bench: Bench, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.webhooks.sending.ANSWER_S", 0.3)
    receiver.answers[:] = [b"..."]
    async with receiving() as other:
        await accepted(bench, receiver.url)
        await accepted(bench, other.url)
        await courier(bench).deliver_due()

        assert (len(other.got), {w.status for w in await kept(bench)}) == (1, {"pending", "delivered"})
        assert {w.last_error for w in await kept(bench)} == {"", "no answer within 0.3 s"}


async def test_two_workers_send_a_webhook_once(bench: Bench, receiver: Receiver) -> None:
    for _ in range(5):
        await accepted(bench, receiver.url)

    await asyncio.gather(*(courier(bench).deliver_due() for _ in range(4)))

    assert len(receiver.got) == 5


async def test_a_webhook_whose_worker_died_over_it_is_sent_again(bench: Bench, receiver: Receiver) -> None:
    receiver.answers[:] = [b"..."]
    await accepted(bench, receiver.url)
    dying = asyncio.create_task(courier(bench).deliver_due())
    await receiver.asked.wait()
    dying.cancel()
    await bench.rows("UPDATE webhook SET due_at = now()")

    await courier(bench).deliver_due()

    assert [(w.status, w.attempts) for w in await kept(bench)] == [("delivered", 2)]


async def test_an_end_that_is_not_kept_is_told_to_nobody(bench: Bench, receiver: Receiver) -> None:
    run = await bench.accept({"text": "a"}, webhook=receiver.url)
    async with bench.engine.database.transaction() as conn:
        held = await runs.claim(conn, run.id, owner="a worker that loses its database", lease_s=60)
    assert held

    async with as_owner(bench.engine.database) as conn, conn.transaction(force_rollback=True):
        await runs.finish(conn, held, bench.wake_ups, "success", "completed")

    assert ((await bench.again(run)).status, await kept(bench)) == ("running", [])


INSIDE = ["http://10.0.0.1/", "http://localhost:1/", "ftp://example.org", "http://nowhere.invalid/"]


@pytest.mark.parametrize("url", INSIDE)
async def test_a_run_with_a_webhook_to_somewhere_else_is_refused(bench: Bench, url: str) -> None:
    intake = replace(bench.engine.intake, targets=Targets())

    with pytest.raises(WebhookRefused):
        await intake.accept(NewRun("x", TENANT, "three_stages", "key:ada", {"text": "a"}, webhook=url))


async def test_a_name_that_moves_inside_after_it_was_checked_is_not_followed(
    bench: Bench, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run was accepted while the name meant a public address; when it is sent the name means this machine."""
    await accepted(bench, receiver.url)
    await bench.rows("UPDATE webhook SET url = %s", f"http://hooks.example.org:{receiver.port}/")
    lookups: list[str] = []

    def found(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("socket.getaddrinfo", found)
    await courier(bench, targets=Targets()).deliver_due()

    assert (lookups, receiver.got) == (["hooks.example.org"], [])
    assert ["not on the public internet" in w.last_error for w in await kept(bench)] == [True]


async def test_what_is_checked_is_what_is_connected_to(
    bench: Bench, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means another address at every look is looked up once for each attempt."""
    await accepted(bench, receiver.url)
    await bench.rows("UPDATE webhook SET url = %s", f"http://hooks.example.org:{receiver.port}/")
    answers = iter(["127.0.0.1", "10.0.0.1", "10.0.0.1"])

    def found(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        address = next(answers) if host == "hooks.example.org" else host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("socket.getaddrinfo", found)
    await courier(bench).deliver_due()

    assert [headers["host"] for _, headers, _ in receiver.got] == [f"hooks.example.org:{receiver.port}"]
    assert next(answers) == "10.0.0.1"
