"""`gatehouse eval run --live`: models are asked over real HTTP, nobody else is, and chance is no verdict."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evals.commands import app
from tests.conftest import fresh_database
from tests.eval_project import eval_project
from tests.stubs.openai_server import Endpoint, openai_endpoint

WORKFLOW, ALIAS = "billing_dispute", "classifier"
CASES = ("duplicate-restaurant", "fraud")
WRONG = '{"kind": "unclear", "amount_cents": null, "merchant": ""}'


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as dsn:
        yield dsn


@pytest.fixture
def project(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of one workflow with two cases."""
    monkeypatch.setenv("DATABASE_URL", database)
    return eval_project(tmp_path, WORKFLOW, CASES, monkeypatch)


def calls_of(project: Path, case: str) -> list[dict[str, Any]]:
    file = project / "evals" / "cases" / WORKFLOW / case / "calls.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def recorded(project: Path, case: str) -> list[str]:
    """What is recorded of it for the alias."""
    return [call["content"] for call in calls_of(project, case) if call["stage"] == "classify_issue"]


def evals(endpoint: Endpoint | None, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    if endpoint:
        route = {"model": "gpt-test", "base_url": endpoint.url, "currency": "USD", "read_price": 1, "written_price": 2}
        monkeypatch.setenv("GATEHOUSE_MODELS", json.dumps({ALIAS: route}))
    return CliRunner().invoke(app, ["run", *arguments])


def test_models_are_asked_again_each_time_and_say_what_that_took(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = [recorded(project, case)[0] for case in CASES]
    with openai_endpoint(*right, WRONG) as endpoint:
        result = evals(endpoint, monkeypatch, "--live", ALIAS, "--repeat", "2", "--json")

    said = json.loads(result.stdout)
    assert (result.exit_code, said["rates"]["answer"], said["mode"]) == (3, "inconclusive", "live"), result.output
    assert [(case["turn"], case["status"]) for case in said["cases"][:2]] == [(1, "passed"), (1, "passed")]
    assert "failed" in {case["status"] for case in said["cases"][2:]}
    assert said["spent"]["calls"] == len(endpoint.requests) >= 4
    assert said["spent"]["cost"]["USD"] > 0


def test_a_model_elsewhere_than_configured_is_not_reached(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with openai_endpoint(WRONG) as endpoint, openai_endpoint(WRONG) as other:
        monkeypatch.setenv("HTTP_PROXY", other.url)
        result = evals(endpoint, monkeypatch, WORKFLOW, "--case", "fraud", "--live", ALIAS, "--repeat", "1")

    assert (result.exit_code, other.connections) == (1, 0), result.output
    assert f"something asked for 127.0.0.1:{other.url.split(':')[2].split('/')[0]}" in result.stdout


def test_what_models_say_is_kept_where_that_is_wanted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with openai_endpoint(*recorded(project, "fraud")) as endpoint:
        evals(endpoint, monkeypatch, WORKFLOW, "--case", "fraud", "--live", ALIAS, "--repeat", "1", "--record")

    kept = {call["stage"]: (call["source"], call["model"]) for call in calls_of(project, "fraud")}
    assert kept["classify_issue"] == ("recorded", "gpt-test")
    monkeypatch.delenv("GATEHOUSE_MODELS")
    assert evals(None, monkeypatch, WORKFLOW, "--case", "fraud").exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--live", ALIAS), "No model is configured"),
        (("--live", "poet"), "No prompt of these workflows asks"),
        (("--live", ALIAS, "--accept"), "A baseline is what recorded replies lead to"),
        (("--record",), "none is asked"),
    ],
)
def test_options_that_cannot_work_are_mistakes(
    project: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    result = evals(None, monkeypatch, *options)

    assert (result.exit_code, said in " ".join(result.stderr.split())) == (2, True), result.output
