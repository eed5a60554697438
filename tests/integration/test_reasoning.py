"""The reasoning trace holds what models were sent and said, what decided each branch, and neither secrets nor harm."""

import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from prometheus_client import REGISTRY
from typing_extensions import TypedDict

from engine.audit.erasure import erase
from engine.credentials.redactor import KNOWN, MASK, Redactor
from engine.operations.traced import show_trace
from engine.operations.why import explain_way, only_stage
from engine.reasoning import matter, pages
from engine.reasoning.following import Follower
from engine.reasoning.retention import TraceTerms, place_of
from engine.runs.model import Run
from engine.store import vault
from engine.worker.janitor import Janitor, Keep
from tests.cases import TWICE
from tests.conftest import TRIALS
from tests.engines import TENANT, Bench, Pay, fresh_bench, in_line, stage
from tests.stubs.openai_server import openai_endpoint

ISSUE = json.dumps({"kind": "duplicate_charge", "amount_cents": None, "merchant": "Corner Shop"})
FINDING = json.dumps({"remedy": "refund", "goodwill_cents": 0, "reason": "Posted twice.", "evidence": []})
LETTER = json.dumps({"subject": "Your complaint", "body": "Dear Robin, EUR 250.00 were paid back to your card."})


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder / "reasoning") as bench:
        yield bench


async def traced(bench: Bench, run: Run, kind: str = "") -> list[dict[str, Any]]:
    found = await show_trace(bench.engine.database, run.id, tenant=TENANT)
    return [entry for entry in found["entries"] if kind in ("", entry["kind"])]


async def kept(bench: Bench, run: Run) -> list[dict[str, Any]]:
    tables = "(SELECT thread_id, payload FROM trace_page UNION ALL SELECT thread_id, payload FROM trace_blob)"
    return await bench.rows(f"SELECT payload FROM {tables} AS t WHERE thread_id = %s", run.thread_id)


async def test_what_a_model_was_sent_and_said_is_kept_to_the_letter(postgres: str, folder: Path) -> None:
    with openai_endpoint(ISSUE, FINDING, LETTER) as endpoint:
        settings: dict[str, Any] = {"model": "gpt-test", "model_base_url": endpoint.url, "model_api_key": "sk-x"}
        async with fresh_bench(postgres, folder / "asked", **settings) as bench:
            run = await bench.open_case(amount_cents=2_500)
            await bench.go_on()
            calls = await traced(bench, run, "model")

    roles = {"system": "system", "human": "user"}
    sent = [[{"role": roles[m["type"]], "content": m["content"]} for m in call["messages"]] for call in calls]
    assert sent == [request["messages"] for request in endpoint.requests]
    assert [call["schema"] for call in calls] == [request["response_format"] for request in endpoint.requests]
    assert [call["reply"]["content"] for call in calls] == [ISSUE, FINDING, LETTER]
    assert {call["params"]["temperature"] for call in calls} == {0.0}
    assert [(call["usage"], call["finish_reason"]) for call in calls] == [({"read": 10, "written": 5}, "stop")] * 3
    assert [call["stage"] for call in calls] == ["classify_issue", "assess", "draft_reply"]
    assert all(call["us"] > 0 for call in calls)


async def test_one_trace_tells_of_all_legs_of_a_case(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    leg = await bench.approve(run)
    await bench.go_on()

    first, last = [await show_trace(bench.engine.database, r.id, tenant=TENANT) for r in (run, leg)]

    assert first["entries"] == last["entries"]
    assert first["trace_id"] == last["trace_id"] == run.case_id.replace("-", "")
    kinds = [(entry["run_id"], entry["kind"]) for entry in first["entries"]]
    assert (run.id, "interrupt") in kinds
    assert (leg.id, "resume") in kinds
    stages = [entry["stage"] for entry in first["entries"] if entry["kind"] == "stage" and not entry.get("waits")]
    finished = [data["stage"] for event, data in await bench.events(run) if event == "stage.finished"]
    assert stages == finished


async def test_a_branch_is_kept_with_the_values_that_its_router_looks_at(bench: Bench) -> None:
    run, _ = await bench.parked_case()

    forks = {entry["stage"]: entry for entry in await traced(bench, run, "branch")}

    assert forks["assess"]["led"] == ["freeze_refund"]
    assert forks["assess"]["values"]["finding"]["remedy"] == "refund"
    assert set(forks["assess"]["values"]) <= {"finding", "problem", "rounds"}
    assert set(forks["classify_issue"]["values"]) <= {"problem"}


async def test_tools_are_shown_with_what_they_were_asked_and_answered(bench: Bench) -> None:
    run, _ = await bench.parked_case()

    calls = {entry["tool"]: entry for entry in await traced(bench, run, "tool")}

    found = calls["billing.list_charges"]
    assert found["args"]["account_id"].startswith("AC-")
    assert (found["state"], found["stage"], bool(found["result"])) == ("done", "read_records", True)


async def test_why_of_a_stage_holds_what_was_traced_of_it(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    await bench.approve(run)
    await bench.go_on()

    way = await explain_way(bench.engine.database, bench.engine.states, run.id, tenant=TENANT)

    [assess] = only_stage(way, "assess")["stages"]
    assert [entry["kind"] for entry in assess["traced"]] == ["model", "branch", "stage"]
    assert "complaint" in assess["traced"][0]["messages"][1]["content"]
    [gate] = only_stage(way, "approve_refund")["stages"]
    waits = [(entry["kind"], entry.get("waits")) for entry in gate["traced"]]
    assert waits == [("stage", True), ("branch", None), ("stage", None)]


@pytest.mark.controls
async def test_no_secret_stands_in_a_trace(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def told(secret: str) -> str:
        run = await bench.accept({"complaint": f"{TWICE} {secret}", "account_id": bench.new_account()})
        KNOWN.learn(secret)  # only now: the door through which the complaint came has let it pass
        await bench.go_on()
        return json.dumps(await traced(bench, run))

    text = await told("hunter2-of-the-trace")
    for module in (matter, pages):
        monkeypatch.setattr(module, "KNOWN", Redactor())
    without = await told("hunter3-of-the-trace")

    assert ("hunter2-of-the-trace" in text, MASK in text) == (False, True)
    assert "hunter3-of-the-trace" in without


async def test_what_is_written_is_sealed_and_goes_when_the_case_is_erased(bench: Bench) -> None:
    run = await bench.open_case(amount_cents=2_500)
    await bench.go_on()
    rows = await kept(bench, run)
    for row in rows:
        with pytest.raises(zlib.error):
            zlib.decompress(bytes(row["payload"])[28:])

    async with bench.engine.database.transaction() as conn:
        await erase(conn, f"case:{run.thread_id}", "Asked for.", by="key:olu", tenant=TENANT, dry_run=False)

    assert rows
    assert await traced(bench, run) == []
    assert await kept(bench, run) == []


async def test_a_key_that_is_not_there_hides_a_trace_and_breaks_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = await bench.parked_case()
    monkeypatch.setattr(vault, "_INSTALLED", [vault.Vault(b"another key, of 32 bytes length!")])

    assert {entry["kind"] for entry in await traced(bench, run)} == {"unreadable"}


async def test_what_stages_did_before_one_failed_is_kept(bench: Bench) -> None:
    async def works(state: Pay) -> dict[str, Any]:
        return {}

    async def breaks(state: Pay) -> dict[str, Any]:
        raise RuntimeError("nobody shall read this")

    trial = bench.offering(in_line(("work", stage(works)), ("break", stage(breaks))))
    run = await trial.played({"account_id": "AC-1"})

    entries = await traced(trial, run)
    assert [(entry["stage"], entry.get("error")) for entry in entries] == [("work", None), ("break", "RuntimeError")]
    assert "nobody shall" not in json.dumps(entries)


async def test_a_message_that_is_sent_again_lies_there_once(postgres: str, folder: Path) -> None:
    with openai_endpoint('{"kind": "nonsense"}') as endpoint:
        async with fresh_bench(postgres, folder / "once", model="m", model_base_url=endpoint.url) as bench:
            run = await bench.open_case()
            await bench.go_on()
            calls = await traced(bench, run, "model")
            [blobs] = await bench.rows("SELECT count(*) AS n FROM trace_blob")

    assert len(calls) == 3
    assert calls[0]["messages"] == calls[2]["messages"][:2]
    assert blobs["n"] < sum(len(call["messages"]) for call in calls)


class _Count(TypedDict):
    n: int


class _Broken:
    def keep(self, value: Any) -> list[Any]:
        raise ValueError("the disk is full")

    def add(self, entry: dict[str, Any]) -> None:
        raise ValueError("the disk is full")


async def test_what_fails_in_tracing_is_counted_and_changes_no_run() -> None:
    flow = StateGraph(_Count)
    flow.add_node("count", lambda state: {"n": state["n"] + 1})
    flow.add_edge(START, "count")
    flow.add_edge("count", END)
    before = REGISTRY.get_sample_value("gatehouse_trace_failures_total") or 0

    ended = await flow.compile().ainvoke({"n": 1}, {"callbacks": [Follower(_Broken(), {})]})

    assert ended == {"n": 2}
    assert (REGISTRY.get_sample_value("gatehouse_trace_failures_total") or 0) > before


@pytest.fixture(scope="module")
async def trials(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder / "routine", registry=TRIALS) as bench:
        yield replace(bench, workflow="three_stages")


async def test_a_share_is_the_same_in_the_database_and_here(trials: Bench) -> None:
    places = [place_of((await trials.played({"text": "a"})).thread_id) for _ in range(6)]

    terms = TraceTerms(sorted(places)[3], 0)
    done = await Janitor(trials.engine.database, Keep(traces=terms)).clean()

    assert done.traces == 3


@pytest.mark.parametrize(("terms", "goes"), [((0, 0), True), ((1, 0), False), ((0, 3_600), False)])
async def test_of_routine_cases_a_share_is_kept_and_the_rest_a_while(
    trials: Bench, terms: tuple[float, float], goes: bool
) -> None:
    run = await trials.played({"text": "a"})
    janitor = Janitor(trials.engine.database, Keep(traces=TraceTerms(*terms)))

    planned, done = await janitor.plan(), await janitor.clean()

    assert planned.traces == done.traces
    assert (done.traces > 0, await kept(trials, run) == []) == (goes, goes)


async def test_the_trace_of_a_case_of_risk_stays(bench: Bench) -> None:
    run = await bench.open_case(amount_cents=2_500)
    await bench.go_on()

    await Janitor(bench.engine.database, Keep(traces=TraceTerms(0, 0))).clean()

    assert await kept(bench, run)
