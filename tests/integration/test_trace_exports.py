"""Copies of traces: what leaves, and that a place that takes none, fails or hangs changes nothing for any run."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langsmith import Client, tracing_context

from api.traffic import Traffic
from engine.credentials.redactor import KNOWN
from engine.reasoning.pages import Traced
from engine.reasoning.retention import place_of
from engine.reasoning.sampled import INFO, Sampled
from engine.runs.model import Run
from tests.cases import TWICE
from tests.conftest import ROOT, Site, fresh_database
from tests.engines import Bench, bench_on
from tests.stubs.trace_servers import Ingest, ingest_server
from tests.workers import workers_at

LANGSMITH = {"langsmith_api_key": "lsv2_pt_of-a-test", "langsmith_project": "trials"}


@pytest.fixture(scope="module")
def site(postgres: str, folder: Path) -> Any:
    with fresh_database(postgres) as dsn:
        yield Site(dsn, folder / "exports", folder / "unused")


@asynccontextmanager
async def exporting(site: Site, **settings: Any) -> AsyncIterator[Bench]:
    async with bench_on(site, **settings) as bench:
        yield bench


async def two_legs(bench: Bench, complaint: str = TWICE) -> tuple[Run, Run]:
    run = await bench.accept({"complaint": complaint, "account_id": bench.new_account()})
    await bench.go_on()
    leg = await bench.approve(run)
    await bench.go_on()
    return await bench.again(run), await bench.again(leg)


def posted(ingest: Ingest) -> dict[str, dict[str, Any]]:
    return {name: part for name, part in ingest.parts().items() if name.startswith("post.") and name.count(".") == 1}


async def test_langsmith_gets_a_case_as_one_trace_over_all_its_legs(site: Site) -> None:
    with ingest_server() as ingest:
        async with exporting(site, langsmith_url=ingest.url, **LANGSMITH) as bench:
            run, leg = await two_legs(bench)

    found = posted(ingest)
    assert {each.path for each in ingest.taken} == {"/runs/multipart"}
    assert {each.headers["content-encoding"] for each in ingest.taken} == {"zstd"}
    assert {part["trace_id"] for part in found.values() if "trace_id" in part} == {run.case_id}
    names = [part["name"] for part in found.values() if "name" in part]
    assert {"classify_issue", "pay_refund", "billing.issue_refund"} <= set(names)
    assert {part["session_name"] for part in found.values() if "session_name" in part} == {"trials"}
    assert leg.case_id == run.case_id


async def test_neither_secrets_nor_cards_nor_the_environment_leave(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_PROJECT", "of-the-environment")
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    KNOWN.learn("hunter3-of-the-export")
    with ingest_server() as ingest:
        async with exporting(site, langsmith_url=ingest.url, **LANGSMITH) as bench:
            await two_legs(bench, f"{TWICE} hunter3-of-the-export, my card is 4111 1111 1111 1111")

    assert "classify_issue" in ingest.text
    for secret in ("hunter3-of-the-export", "4111 1111", "of-the-environment", "lsv2_pt_of-a-test"):
        assert secret not in ingest.text


async def test_without_a_place_nothing_leaves_although_tracing_is_switched_on_around(site: Site) -> None:
    with ingest_server() as ingest:
        client = Client(ingest.url, api_key="of-the-environment", info=INFO)
        async with exporting(site) as bench:
            with tracing_context(enabled=True, client=client):
                await two_legs(bench)
        await asyncio.to_thread(client.flush, timeout=5)

    assert ingest.taken == []


@pytest.mark.parametrize(("status", "wait_s"), [(500, 0.0), (202, 30.0)], ids=["answers 500", "hangs"])
async def test_a_place_that_fails_or_hangs_changes_no_run(site: Site, status: int, wait_s: float) -> None:
    with ingest_server(status, wait_s) as ingest:
        places = {"langsmith_url": ingest.url, "otlp_url": f"{ingest.url}/v1/traces", **LANGSMITH}
        async with exporting(site, **places) as bench:
            assert bench.engine.carrier.exports
            bench.engine.carrier.exports.close_s = 0.5
            began = time.monotonic()
            run, leg = await two_legs(bench)
            took_s = time.monotonic() - began

    assert (run.status, leg.status, leg.outcome) == ("interrupted", "success", "completed")
    assert took_s < 20
    assert time.monotonic() - began < 25


async def test_a_collector_gets_names_times_and_counts_and_no_content(site: Site) -> None:
    with ingest_server(200) as ingest:
        headers = {"authorization": "Bearer for-the-collector"}
        async with exporting(site, otlp_url=f"{ingest.url}/v1/traces", otlp_headers=headers) as bench:
            run, _ = await two_legs(bench)

    spans = ingest.spans()
    assert {each.headers["authorization"] for each in ingest.taken} == {"Bearer for-the-collector"}
    assert {span.trace_id.hex() for span in spans} == {run.case_id.replace("-", "")}
    by_id = {span.span_id: span for span in spans}
    model = next(span for span in spans if span.name == "chat classify_issue")
    assert by_id[model.parent_span_id].name == "stage classify_issue"
    assert by_id[by_id[model.parent_span_id].parent_span_id].name == "invoke_agent billing_dispute"
    told = {each.key: each.value for each in model.attributes}
    assert told["gen_ai.operation.name"].string_value == "chat"
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for span in spans)
    assert TWICE not in ingest.text


@pytest.mark.controls
@pytest.mark.parametrize(("residency", "leaves"), [([], False), (["us"], False), (["eu"], True)])
async def test_a_copy_crosses_no_border_that_a_model_call_would_not(
    site: Site, residency: list[str], leaves: bool
) -> None:
    with ingest_server() as ingest:
        places = {"langsmith_url": ingest.url, "otlp_url": f"{ingest.url}/v1/traces", **LANGSMITH}
        tags = {"langsmith_residency": residency, "otlp_residency": residency, "regions": {"*": "eu"}}
        async with exporting(site, **places, **tags) as bench:
            await two_legs(bench)
        within = bool(ingest.taken)
        async with exporting(site, **places, **tags) as bench:
            assert bench.engine.carrier.exports
            bench.engine.carrier.exports.may = lambda *_: True
            await two_legs(bench)

    assert (within, bool(ingest.taken)) == (leaves, True)


def test_a_case_is_copied_or_not_as_a_whole() -> None:
    threads = [f"00000000-0000-4000-8000-{n:012d}" for n in range(200)]

    def wanted(risk: str, share: float) -> int:
        sink = Sampled("http://127.0.0.1:9", "key", "trials", share)
        return sum(sink.wants(Traced("t", thread, "c", "r", "w", risk)) for thread in threads)

    assert (wanted("high", 0), wanted("routine", 0), wanted("routine", 1)) == (200, 0, 200)
    assert 25 < wanted("routine", 0.25) < 75
    assert wanted("routine", 0.25) == sum(place_of(thread) < 0.25 for thread in threads)


async def test_a_caller_cannot_say_below_which_trace_or_where_ours_go() -> None:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(name for name, _ in scope["headers"])

    theirs = [(b"langsmith-trace", b"20260101T000000000000Zx"), (b"baggage", b"langsmith-replicas=x"), (b"a", b"b")]
    await Traffic(app)({"type": "http", "method": "GET", "path": "/ok", "headers": theirs}, _nothing, _nothing)

    assert seen == [b"a"]
    mounted = [path for path in (ROOT / "api").rglob("*.py") if "TracingMiddleware" in path.read_text()]
    assert mounted == []


async def _nothing(*_: Any) -> Any:
    return None


@pytest.mark.slow
async def test_what_waits_is_still_sent_by_a_process_that_is_told_to_stop(site: Site) -> None:
    with ingest_server() as ingest, workers_at(site) as workers:
        async with exporting(site, shared=True) as bench:
            where = {"GATEHOUSE_LANGSMITH_URL": ingest.url, "GATEHOUSE_LANGSMITH_API_KEY": "lsv2_pt_of-a-test"}
            pid = workers.start(**where)
            run = await bench.open_case()
            await bench.until(f"SELECT 1 FROM run WHERE id = '{run.id}' AND status = 'interrupted'")

            await asyncio.to_thread(workers.end, pid, signal.SIGTERM)

    assert "freeze_refund" in ingest.text
