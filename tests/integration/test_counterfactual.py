"""`gatehouse eval counterfactual`: one reply or prompt is another one, and what comes of it stands beside the case."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evals.commands import app
from tests.conftest import ROOT, fresh_database
from tests.eval_project import eval_project
from tests.stubs.openai_server import openai_endpoint

WORKFLOW = "billing_dispute"
LOWERED, GOODWILL = f"{WORKFLOW}/flight-lowered", f"{WORKFLOW}/goodwill-approved"
FRAUD = '{"kind": "unrecognised_charge", "amount_cents": null, "merchant": ""}'
LETTER = '{"subject": "Your flight", "body": "We paid EUR 1,000.00 back to your card."}'


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as dsn:
        yield dsn


@pytest.fixture(autouse=True)
def project(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of one workflow with two cases: loading the others takes longer than playing these."""
    monkeypatch.setenv("DATABASE_URL", database)
    eval_project(tmp_path, WORKFLOW, [case.partition("/")[2] for case in (LOWERED, GOODWILL)], monkeypatch)


def imagined(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["counterfactual", *arguments])


def told(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = imagined(*arguments, "--json")
    assert result.stdout, result.output
    return result.exit_code, json.loads(result.stdout)


def recorded_reply(stage: str) -> str:
    lines = (ROOT / "evals" / "cases" / LOWERED / "calls.jsonl").read_text().splitlines()
    return next(str(call["content"]) for call in map(json.loads, lines) if call["stage"] == stage)


def test_the_same_reply_leads_to_the_same(tmp_path: Path) -> None:
    same = tmp_path / "reply.json"
    same.write_text(recorded_reply("assess_dispute"))

    code, said = told(LOWERED, "--stage", "assess", "--reply", str(same))

    assert (code, said["parts"], said["before"]) == (0, "", said["after"])


def test_another_reply_leads_another_way_with_both_ways_told() -> None:
    code, said = told(LOWERED, "--stage", "classify_issue", "--reply", FRAUD)

    before, after = said["before"], said["after"]
    assert (code, before["outcome"], after["outcome"]) == (1, "completed", "handed_off")
    assert said["parts"].startswith(f"stage {1 + shared(before['path'], after['path'])}: ")
    assert (before["effects"].keys(), after["effects"]) == ({"refunds", "messages"}, {})
    assert said["people"] == ["answer 1 (edit) found the case waiting for nothing"]


def shared(one: list[str], other: list[str]) -> int:
    return next(at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])


def test_where_nothing_is_recorded_any_more_nobody_claims_to_know() -> None:
    changed = json.loads(recorded_reply("assess_dispute")) | {"reason": "Somebody else's words."}

    code, said = told(GOODWILL, "--stage", "assess", "--reply", json.dumps(changed))

    assert (code, said["after"]["outcome"]) == (4, "unknown")
    assert said["unrecorded"][0]["call"] == "draft_reply"
    assert "draft_reply" not in said["after"]["path"]


def test_a_live_model_is_asked_only_where_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prompt = tmp_path / "draft_reply.md"
    prompt.write_text(
        (ROOT / "graphs/billing_dispute/prompts/draft_reply.md").read_text().replace("friendly", "polite")
    )
    with openai_endpoint(LETTER) as endpoint:
        models = {alias: {"model": "gpt-test", "base_url": endpoint.url} for alias in ("writer", "reasoner")}
        monkeypatch.setenv("GATEHOUSE_MODELS", json.dumps(models))
        live = ("--live", "writer", "--live", "reasoner")
        code, said = told(LOWERED, "--stage", "draft_reply", "--prompt", str(prompt), *live)

    (asked,) = endpoint.requests
    assert "polite" in asked["messages"][0]["content"]
    assert (code, said["unrecorded"], said["spent"]["calls"]) == (1, [], 1)
    assert said["after"]["effects"]["messages"][0]["subject"] == "Your flight"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((LOWERED, "--stage", "close", "--reply", "x"), "asks no model"),
        ((LOWERED, "--stage", "nowhere", "--reply", "x"), "is no stage"),
        ((LOWERED, "--stage", "assess", "--nth", "7", "--reply", "x"), "1 times, and not 7"),
        ((LOWERED, "--stage", "assess"), "either a reply or a prompt"),
        (("fraud", "--stage", "assess", "--reply", "x"), "names no case"),
    ],
)
def test_what_cannot_be_imagined_is_said(arguments: tuple[str, ...], said: str) -> None:
    result = imagined(*arguments)

    assert (result.exit_code, said in " ".join(result.stderr.split())) == (2, True), result.output
