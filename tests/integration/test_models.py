"""The order in which models answer, and what becomes of replies that cannot be used: over real HTTP."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage

from commands.sandbox import sandbox_clients
from engine.audit.audit import chain, stream_of
from engine.catalog.catalog import Catalog
from engine.models import attempts
from engine.models.calls import call_key
from engine.models.recorded import RecordedChatModel
from engine.models.recording import Recording, Recordings, read_recordings
from engine.runs.model import NewRun, NewThread, Run
from engine.runs.runs import list_runs
from engine.runs.threads import create_thread, get_thread
from engine.wiring import Engine, open_engine
from engine.worker.dispatchers import InlineDispatcher
from tests.cases import TWICE, new_account
from tests.conftest import Site, fresh_database
from tests.stubs.openai_server import openai_endpoint

ISSUE = json.dumps({"kind": "duplicate_charge", "amount_cents": None, "merchant": "Corner Shop"})
FINDING = json.dumps({"remedy": "refund", "goodwill_cents": 0, "reason": "Posted twice.", "evidence": []})
LETTER = json.dumps({"subject": "Your complaint", "body": "Dear Robin, EUR 25.00 were paid back to your card."})


@pytest.fixture(scope="module")
def site(postgres: str, folder: Path) -> Iterator[Site]:
    """One whose runs no other worker takes over when this one is slow."""
    with fresh_database(postgres) as dsn:
        yield Site(dsn, folder / "models", folder / "models.sqlite")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSE_S", 0.01)


@asynccontextmanager
async def opened(site: Site, **settings: Any) -> AsyncIterator[Engine]:
    configured = site.settings(**settings)
    async with open_engine(
        configured, notify=lambda _: None, dispatcher=InlineDispatcher(), recordings=Recordings()
    ) as engine:
        clients = sandbox_clients(site.worlds)
        for name, client in clients.items():
            engine.carrier.systems.use(name, client)
        yield engine


async def dispute(engine: Engine, site: Site, *modes: str) -> tuple[Run, dict[str, Any], list[dict[str, Any]]]:
    """One small dispute: its run, final values and what models did."""
    thread, claim = str(uuid.uuid4()), {"complaint": TWICE, "account_id": new_account(site.worlds, amount_cents=2_500)}
    async with engine.database.transaction() as conn:
        await create_thread(conn, NewThread(thread, "default"))
    await engine.intake.accept(NewRun(thread, "default", "billing_dispute", "key:ada", claim, stream_modes=modes))
    assert isinstance(engine.dispatcher, InlineDispatcher)
    await engine.dispatcher.drain(engine.carrier)
    async with engine.database.transaction() as conn:
        run = (await list_runs(conn, thread, tenant="default"))[0]
        row = await get_thread(conn, thread, tenant="default")
        records = [link.record for link in await chain(conn, stream_of(thread))]
    snapshot = await engine.states.latest(row)
    called: list[dict[str, Any]] = [r["data"] for r in records if r["event"] == "model.called"]
    return run, snapshot.values if snapshot else {}, called


async def test_a_configured_model_is_asked_over_http(site: Site) -> None:
    with openai_endpoint(ISSUE, FINDING, LETTER) as endpoint:
        async with opened(site, model="gpt-test", model_base_url=endpoint.url, model_api_key="sk-x") as engine:
            run, values, called = await dispute(engine, site)

    assert (run.status, values["outcome"]) == ("success", "completed")
    assert [(c["model"], c["source"]) for c in called] == [("gpt-test", "live")] * 3
    assert endpoint.requests[0]["response_format"]["json_schema"]["name"] == "IssueReply"
    assert values["reply"]["body"].startswith("Dear Robin")


async def test_without_a_model_rules_stand_in_and_say_so(site: Site) -> None:
    async with opened(site) as engine:
        _, values, called = await dispute(engine, site)

    assert values["outcome"] == "completed"
    assert {c["source"] for c in called} == {"stand-in"}
    assert values["finding"]["answered_by"] == "stand-in"


async def test_without_model_recording_or_stand_in_a_person_takes_the_case(site: Site) -> None:
    async with opened(site, stand_ins=False) as engine:
        run, values, _ = await dispute(engine, site)

    assert (run.outcome, values["problem"]["code"]) == ("handed_off", "recording_missing")


@pytest.mark.controls
async def test_a_stage_gives_its_model_no_more_to_read_than_it_may(site: Site) -> None:
    with openai_endpoint(ISSUE, FINDING, LETTER) as endpoint:
        async with opened(site, model="gpt-test", model_base_url=endpoint.url) as engine:
            _, refused, told = await dispute(within(engine, 50), site)
            asked = len(endpoint.requests)
            _, without, called = await dispute(engine, site)

    assert (refused["outcome"], refused["problem"]["code"], asked) == ("handed_off", "context_too_large", 0)
    assert (told[0]["error_code"], told[0]["max_context"]) == ("context_too_large", 50)
    assert without["outcome"] == "completed"
    assert set(called[0]["context"]) == {"prompt", "complaint", "clarification"}
    assert sum(called[0]["context"].values()) <= called[0]["max_context"]


def within(engine: Engine, tokens: int) -> Engine:
    """The engine with prompts that may give so much to read."""
    few = [
        replace(w, prompts={name: replace(p, max_context=tokens) for name, p in w.prompts.items()})
        for w in engine.catalog.values()
    ]
    return replace(engine, carrier=replace(engine.carrier, catalog=Catalog(few)))


async def test_a_malformed_reply_is_repaired_with_its_errors_shown(site: Site) -> None:
    with openai_endpoint('{"kind": "nonsense"}', ISSUE, FINDING, LETTER) as endpoint:
        async with opened(site, model="gpt-test", model_base_url=endpoint.url) as engine:
            _, values, called = await dispute(engine, site)

    assert values["outcome"] == "completed"
    assert [bool(c["problem"]) for c in called] == [True, False, False, False]
    assert "kind" in endpoint.requests[1]["messages"][-1]["content"]


async def test_repairs_have_an_end(site: Site) -> None:
    with openai_endpoint("no json at all") as endpoint:
        async with opened(site, model="gpt-test", model_base_url=endpoint.url) as engine:
            _, values, _ = await dispute(engine, site)

    assert (values["outcome"], values["problem"]["code"]) == ("handed_off", "model_reply_invalid")
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(
    ("model", "code", "requests"),
    [
        ("html", "model_unreadable", 3),
        ("no-json", "model_unreadable", 3),
        ("stranger", "model_unreadable", 3),
        ("breaks-off", "model_unreadable", 3),
        ("filtered", "model_refused", 1),
        ("status-500", "model_unavailable", 3),
        ("status-429", "model_unavailable", 3),
        ("status-400", "model_failed", 1),
        ("status-401", "model_failed", 1),
        ("cut-off", "model_refused", 1),
        ("refuses", "model_refused", 1),
    ],
)
async def test_a_failing_model_hands_the_case_off(site: Site, model: str, code: str, requests: int) -> None:
    with openai_endpoint(ISSUE) as endpoint:
        async with opened(site, model=model, model_base_url=endpoint.url) as engine:
            _, values, _ = await dispute(engine, site)

    assert (values["outcome"], values["problem"]["code"]) == ("handed_off", code)
    assert len(endpoint.requests) == requests


async def test_a_model_that_comes_back_is_used(site: Site) -> None:
    with openai_endpoint("", "", ISSUE, FINDING, LETTER) as endpoint:
        async with opened(site, model="status-503-times-2", model_base_url=endpoint.url) as engine:
            _, values, _ = await dispute(engine, site)

    assert values["outcome"] == "completed"


async def test_a_letter_with_a_link_or_another_sum_is_replaced(site: Site) -> None:
    letter = json.dumps({"subject": "Hi", "body": "You get EUR 900.00, see https://evil.example/x"})
    with openai_endpoint(ISSUE, FINDING, letter) as endpoint:
        async with opened(site, model="gpt-test", model_base_url=endpoint.url) as engine:
            _, values, _ = await dispute(engine, site)

    assert values["outcome"] == "completed"
    assert "evil" not in values["reply"]["body"]
    assert values["reply"]["written_by"].startswith("template")


async def tokens(engine: Engine, run: Run) -> list[str]:
    """Texts that the run's models said, each put together from its pieces."""
    texts: dict[str, str] = {}
    async for page in engine.notices.follow(run.id, tenant="default", names=["messages"]):
        for piece, _ in (json.loads(event.data) for event in page):
            assert piece["type"] == "AIMessageChunk"
            texts[piece["id"]] = texts.get(piece["id"], "") + piece["content"]
    return list(texts.values())


async def test_what_a_model_says_is_streamed_token_by_token(site: Site) -> None:
    with openai_endpoint(ISSUE, FINDING, LETTER) as endpoint:
        async with opened(site, model="gpt-test", model_base_url=endpoint.url, model_api_key="sk-x") as engine:
            run, values, called = await dispute(engine, site, "messages-tuple")
            said = await tokens(engine, run)

    assert said == [ISSUE, FINDING, LETTER]
    assert all(request["stream"] for request in endpoint.requests)
    assert values["reply"]["body"].startswith("Dear Robin")
    assert [(c["model"], c["source"]) for c in called] == [("gpt-test", "live")] * 3


@pytest.mark.parametrize("model", ["refuses", "cut-off", "breaks-off", "status-400"])
async def test_a_streamed_reply_that_cannot_be_used_is_refused_as_any_other(site: Site, model: str) -> None:
    with openai_endpoint(ISSUE) as endpoint:
        async with opened(site, model=model, model_base_url=endpoint.url) as engine:
            plain, _, first = await dispute(engine, site)
            streamed, _, second = await dispute(engine, site, "messages-tuple")

    assert (streamed.status, streamed.outcome) == (plain.status, plain.outcome)
    assert [c["problem"] for c in first] == [c["problem"] for c in second]


async def test_a_recorded_reply_comes_in_pieces_to_who_streams() -> None:
    asked: list[BaseMessage] = [HumanMessage("What is it?")]
    key, spoken = call_key(asked, None, {})
    recordings = Recordings([Recording("classify", key, "written", "gpt-4o", ISSUE, spoken)])
    model = RecordedChatModel(recordings=recordings, stage="classify", case="c")

    pieces = [piece async for piece in model.astream(asked)]
    whole = await model.ainvoke(asked)

    assert "".join(str(piece.text) for piece in pieces) == str(whole.text) == ISSUE
    assert len(pieces) > 3
    assert pieces[-1].response_metadata == whole.response_metadata


@pytest.mark.parametrize("modes", [(), ("messages-tuple",)])
async def test_what_a_live_model_says_is_kept_as_a_recording(
    site: Site, tmp_path: Path, modes: tuple[str, ...]
) -> None:
    calls = tmp_path / "calls.jsonl"
    with openai_endpoint(ISSUE, FINDING, LETTER) as endpoint:
        async with opened(site, model="gpt-test", model_base_url=endpoint.url, record_to=calls) as engine:
            _, before, called = await dispute(engine, site, *modes)

    kept = read_recordings([calls])
    assert (before["outcome"], [recording.content for recording in kept]) == ("completed", [ISSUE, FINDING, LETTER])
    assert [c["tokens_read"] for c in called] == [10] * 3
    assert {recording.model for recording in kept} == {"gpt-test"}
