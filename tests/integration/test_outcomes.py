"""How cases ended, what they cost and what stages decided: counted from what was stored, of one tenant and version."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from engine.approvals import claims
from engine.approvals.decisions import Submission
from engine.approvals.escalation import escalate
from engine.measures.outcomes import Span, cost_measures, outcome_measures
from engine.measures.stages import decided, stage_measures
from engine.runs.model import Cancellation, Run
from tests.conftest import TRIALS, Site, fresh_database
from tests.effects import System
from tests.engines import FIN, TENANT, Bench, fresh_bench
from tests.integration.test_models import FINDING, ISSUE, LETTER, dispute, opened
from tests.stubs.openai_server import openai_endpoint

SINCE = datetime.now(UTC) - timedelta(days=1)
SPAN = Span(TENANT, SINCE)


async def decide(bench: Bench, run: Run, said: str, *, looked_s: int = 0, **more: Any) -> None:
    request = await bench.request_of(run)
    if looked_s:
        async with bench.engine.database.transaction() as conn:
            await claims.claim(conn, request.id, FIN, seconds=900)
        looked = timedelta(seconds=looked_s)
        await bench.rows("UPDATE approval SET claimed_at = claimed_at - %s WHERE id = %s", looked, request.id)
    await bench.engine.answers.decide(request.id, Submission(said, **more), FIN)  # type: ignore[arg-type]  # a word
    await bench.go_on()


async def case(bench: Bench, number: int) -> Run:
    run = await bench.accept({"case": f"case {number}", "number": number})
    await bench.go_on()
    return run


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    """Two small cases, and of large ones one approved, edited, rejected, escalated, cancelled and open."""
    async with fresh_bench(postgres, folder, registry=TRIALS) as made:
        bench = replace(made, workflow="gate")
        System().join(bench)
        for number in (1, 2):
            await case(bench, number)
        await decide(bench, await case(bench, 11), "approve", looked_s=120)
        await decide(bench, await case(bench, 12), "edit", tool="counter.add", args={"case": "case 12", "number": 9})
        await decide(bench, await case(bench, 13), "reject", looked_s=60)
        risen = await case(bench, 14)
        async with bench.engine.database.transaction() as conn:
            await escalate(conn, await bench.request_of(risen), FIN, reason="too late")
        await decide(bench, risen, "approve")
        await bench.engine.intake.cancel(await bench.again(await case(bench, 15)), Cancellation("key:ada"))
        await case(bench, 16)
        yield bench


async def outcomes(bench: Bench, span: Span = SPAN, **minutes: float) -> list[dict[str, Any]]:
    async with bench.engine.database.reading() as conn:
        found: list[dict[str, Any]] = (await outcome_measures(conn, span, minutes))["versions"]
    return found


async def test_rates_are_of_the_cases_that_have_ended(bench: Bench) -> None:
    [version] = await outcomes(bench)

    assert (version["workflow"], version["version"]) == ("gate", bench.engine.catalog["gate"].version)
    ended = {name: n for name, n in version["outcomes"].items() if n}
    assert (version["ended"], ended) == (7, {"completed": 5, "rejected": 1, "cancelled": 1})
    assert version["completion_rate"] == pytest.approx(5 / 7, abs=1e-4)
    assert version["escalation_rate"] == pytest.approx(1 / 7, abs=1e-4)
    assert (version["decided"], version["edited"], version["rejected"], version["executed"]) == (4, 1, 1, 5)
    assert version["correction_rate"] == pytest.approx(2 / 9, abs=1e-4)
    assert 0 < version["wall_s"]["p50"] <= version["wall_s"]["p95"]


async def test_an_effect_that_was_taken_back_is_a_correction(bench: Bench) -> None:
    [before] = await outcomes(bench)
    keys = [row["call_key"] for row in await bench.rows("SELECT call_key FROM effect WHERE state = 'done' LIMIT 2")]
    await bench.rows("UPDATE effect SET compensates = %s WHERE call_key = %s", *keys)
    [after] = await outcomes(bench)
    await bench.rows("UPDATE effect SET compensates = NULL WHERE call_key = %s", keys[1])

    assert (before["compensated"], after["compensated"], after["executed"]) == (0, 1, 4)
    assert after["correction_rate"] == pytest.approx(3 / 8, abs=1e-4)


async def test_time_saved_is_what_was_done_less_what_people_looked(bench: Bench) -> None:
    [unknown], [known] = await outcomes(bench), await outcomes(bench, gate=20)

    assert (unknown["saved_minutes"], known["people_minutes"], known["untimed"]) == (None, pytest.approx(3, abs=0.2), 2)
    assert known["saved_minutes"] == pytest.approx(6 * 20 - 3, abs=0.2), "what was cancelled has saved nothing"


async def test_figures_are_of_one_tenant_workflow_and_time(bench: Bench) -> None:
    later = datetime.now(UTC) + timedelta(days=1)

    for span in (Span("another", SINCE), Span(TENANT, SINCE, "question"), Span(TENANT, later)):
        assert await outcomes(bench, span) == []


async def test_a_case_whose_state_was_edited_is_in_no_figure(bench: Bench) -> None:
    run = await case(bench, 3)
    counted = (await outcomes(bench))[0]["ended"]
    await bench.rows("UPDATE run SET acts = false WHERE id = %s", run.id)
    left = (await outcomes(bench))[0]["ended"]
    await bench.rows("DELETE FROM stage_use WHERE case_id = %s", run.id)

    assert (counted, left) == (8, 7)


async def test_a_stage_is_told_by_its_ways_and_what_came_of_them(bench: Bench) -> None:
    async with bench.engine.database.reading() as conn:
        stages = {row["stage"]: row for row in await stage_measures(conn, SPAN)}

    gate = stages["approve_count"]
    assert (gate["cases"], gate["usual"], gate["ways"]) == (7, "count", {"count": 5, "close": 1})
    assert (gate["diverted"], gate["changed"], gate["value"]) == (1, 1, pytest.approx(1 / 7, abs=1e-4))
    assert (gate["asked_people"], gate["overruled"]) == (4, 2)
    assert (stages["close"]["cases"], stages["close"]["value"], stages["close"]["visits"]) == (6, 0.0, 6)
    assert stages["close"]["took_ms"]["p50"] > 0


def test_a_way_that_ends_alike_is_no_change_of_the_outcome() -> None:
    told = decided({"a": Counter(done=8, failed=1), "b": Counter(done=3, failed=2)}, 20)

    assert (told["usual"], told["diverted"], told["changed"], told["value"]) == ("a", 5, 2, 0.1)


@pytest.fixture(scope="module")
def site(postgres: str, folder: Path) -> Iterator[Site]:
    with fresh_database(postgres) as dsn:
        yield Site(dsn, folder / "costs", folder / "costs.sqlite")


async def test_what_live_models_cost_is_told_by_outcome_stage_and_case(site: Site) -> None:
    with openai_endpoint("no json", ISSUE, FINDING, LETTER) as endpoint:
        priced = {"currency": "EUR", "read_price": 2.0, "written_price": 8.0}
        route = {"model": "gpt-test", "base_url": endpoint.url, **priced}
        async with opened(site, models={"*": route}) as engine:
            run, _, called = await dispute(engine, site)
            async with engine.database.reading() as conn:
                found = await cost_measures(conn, SPAN)
                [version] = (await outcome_measures(conn, SPAN, {}))["versions"]

    total = sum(call["cost"] for call in called) / 1_000_000
    [outcome] = found["outcomes"]
    assert (outcome["outcome"], outcome["cases"], outcome["model_calls"]) == ("completed", 1, 4)
    assert outcome["cost"] == {"EUR": pytest.approx(total)}
    assert outcome["work_s"]["p50"] <= outcome["wall_s"]["p50"]
    calls = {row["stage"]: row["calls"] for row in found["stages"]}
    assert calls == {"classify_issue": 2, "assess": 1, "draft_reply": 1}
    assert [(row["run_id"], row["cost"]) for row in found["dearest"]] == [(run.id, pytest.approx(total))]
    assert version["cost_per_completed"] == {"EUR": pytest.approx(total)}


def test_figures_are_told_by_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_BASELINE_MINUTES", json.dumps({"gate": 20}))
    for name, value in site_of(bench).items():
        monkeypatch.setenv(name, value)

    done = {what: CliRunner().invoke(app, ["stats", what, "gate"]) for what in ("outcomes", "cost", "stages")}
    as_json = CliRunner().invoke(app, ["stats", "outcomes", "--json", "--since", "2026-01-01"])

    assert {what: result.exit_code for what, result in done.items()} == dict.fromkeys(done, 0)
    assert "gate" in done["outcomes"].stdout
    assert "approve_count" in done["stages"].stdout
    assert json.loads(as_json.stdout)["versions"][0]["ended"] == 7


def site_of(bench: Bench) -> dict[str, str]:
    address = bench.engine.settings.database_url
    return {"DATABASE_URL": address.get_secret_value() if address else ""}
