"""What machines that watch a server or worker are told, and who may ask."""

import asyncio
import re
import signal
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.watched import create_watched, watched
from commands.serving import free_port
from contracts.errors import NotReady
from engine.operations import gauges, readiness
from engine.operations.gauges import exposition
from engine.operations.readiness import Vitals, require_ready
from engine.store.database import Database
from engine.worker.worker import Worker
from tests.conftest import People, Site, running, wait_until_up
from tests.engines import Bench, fresh_bench

SAMPLE = re.compile(r"^(\w+?)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder / "watched", metrics_open=False) as bench:
        yield bench


def _samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


async def _metrics(bench: Bench) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return _samples((await exposition(bench.engine.database, bench.engine.catalog.queues)).decode())


def _client(bench: Bench, *, peer: str = "127.0.0.1", host: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_watched(bench.engine), client=(peer, 1))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


async def _answer(client: httpx.AsyncClient, path: str) -> httpx.Response | None:
    """None while nobody listens."""
    try:
        return await client.get(path)
    except httpx.TransportError:
        return None


def _key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


async def test_work_is_counted_by_workflow_tool_and_model_and_names_nobody(bench: Bench) -> None:
    before = await _metrics(bench)
    run, request = await bench.parked_case()
    waiting = await _metrics(bench)
    await bench.approve(run)
    ready = await _metrics(bench)
    await bench.go_on()
    after = await _metrics(bench)

    def grew(name: str, **labels: str) -> float:
        return after[_key(name, **labels)] - before.get(_key(name, **labels), 0)

    parked = {"workflow": bench.workflow, "status": "interrupted", "outcome": ""}
    assert grew("gatehouse_runs_ended_total", **parked) >= 1
    assert grew("gatehouse_tool_calls_total", tool="billing.issue_refund", result="ok") == 1
    assert grew("gatehouse_run_seconds_count", workflow=bench.workflow) >= 2
    assert grew("gatehouse_run_wait_seconds_count", workflow=bench.workflow) >= 2
    assert waiting[_key("gatehouse_approvals_open", queue=request.queue)] >= 1
    assert ready[_key("gatehouse_runs_unfinished", workflow=bench.workflow, standing="ready")] == 1
    assert after[_key("gatehouse_runs_carried")] == 0
    labels = {value for _, labels in after for _, value in labels}
    assert labels & {run.id, run.thread_id, run.tenant, "key:ada"} == set()


async def test_unknown_effects_and_overdue_requests_are_shown(bench: Bench) -> None:
    run, request = await bench.parked_case()
    await bench.rows("UPDATE approval SET due_at = now() - interval '1 hour' WHERE id = %s", request.id)
    await bench.approve(run)
    await bench.go_on()
    paid = "effect_class <> 'read' AND thread_id = %s"
    await bench.rows(f"UPDATE effect SET state = 'unknown' WHERE {paid}", run.thread_id)
    _, other = await bench.parked_case()
    await bench.rows("UPDATE approval SET due_at = now() - interval '1 hour' WHERE id = %s", other.id)

    shown = await _metrics(bench)

    assert shown[_key("gatehouse_effects_unsettled", tool="billing.issue_refund", state="unknown")] == 1
    assert shown[_key("gatehouse_approvals_overdue", queue=other.queue)] == 1
    assert shown[_key("gatehouse_approvals_oldest_seconds", queue=other.queue)] > 0


async def test_metrics_are_for_this_machine_and_operators(
    http: httpx.AsyncClient, people: People, bench: Bench
) -> None:
    here = await http.get("/metrics")
    async with _client(bench, peer="10.0.0.7") as remote, _client(bench, host="evil.example") as rebound:
        refused = [await client.get("/metrics") for client in (remote, rebound)]

    assert here.headers["content-type"].startswith("text/plain; version=")
    assert "gatehouse_http_requests_total" in here.text
    assert [answer.status_code for answer in refused] == [401, 401]
    assert (await http.get("/metrics", headers={"host": "gatehouse.example"})).status_code == 401
    for key, status in ((people.ada, 403), (people.fin, 403), (people.olu, 200)):
        headers = {"host": "gatehouse.example", "authorization": f"Bearer {key}"}
        assert (await http.get("/metrics", headers=headers)).status_code == status


async def test_metrics_can_be_opened_by_a_setting(bench: Bench) -> None:
    settings = bench.engine.settings.model_copy(update={"metrics_open": True})
    opened = replace(bench, engine=replace(bench.engine, settings=settings))

    async with _client(opened, peer="10.0.0.7") as remote:
        assert (await remote.get("/metrics")).status_code == 200


async def test_the_port_for_machines_shows_nothing_else(bench: Bench) -> None:
    port = free_port()
    settings = bench.engine.settings.model_copy(update={"metrics_port": port})

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        async with watched(replace(bench.engine, settings=settings)):
            await asyncio.to_thread(wait_until_up, f"http://127.0.0.1:{port}", "/health/live")
            shown = [await client.get(path) for path in ("/health/live", "/health/ready", "/metrics")]
            hidden = [await client.get(path) for path in ("/threads/x", "/runs", "/docs", "/openapi.json")]
        afterwards = await _answer(client, "/health/live")

    assert [answer.status_code for answer in shown] == [200] * 3
    assert [answer.status_code for answer in hidden] == [404] * 4
    assert afterwards is None


async def test_requests_are_counted_by_route_template(http: httpx.AsyncClient) -> None:
    await http.get(f"/threads/{uuid.uuid4()}")
    await http.get(f"/no/such/{uuid.uuid4()}")
    await http.request("BREW", "/ok")

    text = (await http.get("/metrics")).text
    labels = {labels for name, labels, _ in SAMPLE.findall(text) if name == "gatehouse_http_requests_total"}

    assert 'method="GET",route="/threads/{thread_id}",status="401"' in labels
    assert any('route="unknown"' in each for each in labels)
    assert not [each for each in labels if "no/such" in each or "BREW" in each]


async def test_a_ready_server_says_what_was_checked(http: httpx.AsyncClient) -> None:
    ready, live = await http.get("/health/ready"), await http.get("/health/live")

    assert ready.json() == {"ready": True, "checks": {"database": "ok", "schema": "ok", "worker": "ok"}}
    assert live.json() == {"live": True}


async def test_without_a_database_it_is_alive_and_not_ready_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "_TIME_S", 0.5)
    monkeypatch.setattr(readiness, "_TIME_S", 0.5)
    nowhere = Database("postgresql://nobody@127.0.0.1:9/none", size=4)
    await nowhere.pool.open(wait=False)
    began = time.monotonic()

    with pytest.raises(NotReady) as refused:
        await require_ready(nowhere, Vitals())
    metrics = (await exposition(nowhere, {})).decode()
    await nowhere.close()

    assert (refused.value.status, refused.value.facts["checks"]) == (503, {"database": "does not answer within 0.5 s"})
    assert "gatehouse_database_up 0.0" in metrics
    assert time.monotonic() - began < 3


async def test_a_missing_migration_is_named(bench: Bench) -> None:
    gone = "DELETE FROM schema_migration WHERE number = 1 RETURNING *"
    [row] = await bench.rows(gone)
    try:
        async with _client(bench) as client:
            answer = await client.get("/health/ready")
    finally:
        await bench.rows("INSERT INTO schema_migration VALUES (%s, %s, %s, %s)", *row.values())

    said: dict[str, Any] = answer.json()
    assert (answer.status_code, said["code"], said["checks"]["schema"]) == (503, "not_ready", "lacks 0001_house")


async def test_a_worker_that_drains_or_is_silent_is_not_ready(bench: Bench) -> None:
    worker = Worker(bench.engine.carrier, None, (), concurrency=1, sweep_every_s=0.01)  # type: ignore[arg-type]  # never woken
    vitals = Vitals(worker)

    with pytest.raises(NotReady, match="its sweeper has ended"):
        await require_ready(bench.engine.database, vitals)
    worker._sweeper = asyncio.create_task(asyncio.sleep(60))
    assert await require_ready(bench.engine.database, vitals)
    worker._swept_at -= 60
    with pytest.raises(NotReady, match="last complete sweep"):
        await require_ready(bench.engine.database, vitals)
    worker._draining = True
    with pytest.raises(NotReady, match="it drains"):
        await require_ready(bench.engine.database, vitals)
    worker._sweeper.cancel()


@pytest.mark.slow
async def test_a_worker_by_itself_answers_on_its_own_port(site: Site) -> None:
    port = free_port()

    with running(site, "worker", GATEHOUSE_METRICS_PORT=str(port)) as process:
        url = f"http://127.0.0.1:{port}"
        await asyncio.to_thread(wait_until_up, url, "/health/ready")
        async with httpx.AsyncClient(base_url=url) as client:
            ready, metrics = await client.get("/health/ready"), await client.get("/metrics")
            unknown = await client.get("/threads/x")
        process.signal(signal.SIGTERM)
        ended = await asyncio.to_thread(process.wait, 30)

    assert ready.json()["checks"]["worker"] == "ok"
    assert "gatehouse_sweeps_total" in metrics.text
    assert (unknown.status_code, ended) == (404, 0)


async def test_a_takeover_is_counted(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    leg = await bench.approve(run)
    dead = (
        "UPDATE run SET status = 'running', attempts = 1, epoch = 1, lease_until = now() - interval '1 s' WHERE id = %s"
    )
    await bench.rows(dead, leg.id)
    before = await _metrics(bench)

    await bench.go_on()

    after = await _metrics(bench)
    orphaned = _key("gatehouse_runs_unfinished", workflow=bench.workflow, standing="orphaned")
    assert (before[orphaned], after.get(orphaned)) == (1, None)
    assert after[_key("gatehouse_takeovers_total")] == before[_key("gatehouse_takeovers_total")] + 1
