"""`gatehouse eval canary`: a dataset played with a live model over real HTTP, and what is said when it has drifted."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from contracts.errors import ConfigurationError
from engine.models import attempts
from evals import significance
from evals.commands import app
from evals.datasets import read_dataset
from evals.drift import Accepted, drift
from evals.gate import select
from tests.conftest import ROOT, fresh_database
from tests.eval_project import eval_project
from tests.stubs.openai_server import openai_endpoint

WORKFLOW, CASES = "billing_dispute", ("already-refunded", "duplicate-restaurant")


def said(case: str) -> list[str]:
    """What the model said when the case was recorded, call by call."""
    lines = (ROOT / "evals" / "cases" / WORKFLOW / case / "calls.jsonl").read_text().splitlines()
    return [json.loads(line)["content"] for line in lines]


AS_EVER = [reply for case in CASES for reply in said(case)]
DRIFTED = [reply for reply in said(CASES[1]) for _ in CASES]
"""Sorts and judges nothing as it did."""


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as dsn:
        yield dsn


@pytest.fixture
def project(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One workflow and a dataset of two of its cases, for which two turns are enough."""
    monkeypatch.setenv("DATABASE_URL", database)
    eval_project(tmp_path, WORKFLOW, CASES, monkeypatch)
    (tmp_path / "evals" / "datasets").mkdir()
    dataset = {"about": "Two cases.", "cases": {WORKFLOW: list(CASES)}}
    (tmp_path / "evals" / "datasets" / "canary.yaml").write_text(json.dumps(dataset))
    monkeypatch.setattr(significance, "LEAST_CASES", 2)
    monkeypatch.setattr(significance, "LEAST_TURNS", 2)
    monkeypatch.setattr(attempts, "PAUSE_S", 0.01)
    return tmp_path


def played(monkeypatch: pytest.MonkeyPatch, replies: list[str], *more: str, model: str = "gpt-test") -> Result:
    with openai_endpoint(*replies) as endpoint:
        routes = {"writer": {"model": model, "base_url": endpoint.url, "api_key": "sk-test"}}
        monkeypatch.setenv("GATEHOUSE_MODELS", json.dumps(routes))
        return CliRunner().invoke(app, ["canary", "--live", "writer", *more])


def test_an_unchanged_model_raises_no_alarm_and_a_drifted_one_does(
    project: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = ("--repeat", "2")

    accepted = played(monkeypatch, AS_EVER * 2, "--accept", *twice)
    same = played(monkeypatch, AS_EVER * 2, *twice)
    other = played(monkeypatch, DRIFTED * 2, "--json", "--alarm", *twice, model="gpt-newer")
    once = played(monkeypatch, AS_EVER, "--repeat", "1")

    assert [result.exit_code for result in (accepted, same, other, once)] == [0, 0, 1, 3], other.output
    assert "no worse" in same.stdout
    told = json.loads(other.stdout)
    assert (told["alarm"], told["answer"]) == (True, "worse")
    assert sorted(told["worse"]) == [f"{WORKFLOW}/{case}" for case in CASES]
    assert told["models"] == {"accepted": ["gpt-test"], "now": ["gpt-newer"]}
    assert "a case was played 1 times" in once.stdout
    with psycopg.connect(database) as conn:
        conn.execute("SET gatehouse.across = 'on'")
        assert conn.execute("SELECT kind, name FROM alarm").fetchall() == [("drift", "writer")]


@pytest.mark.parametrize(
    ("replies", "arguments", "says"),
    [
        (AS_EVER, (), "Nothing was accepted"),
        (["no json"], ("unknown",), "There is no dataset 'unknown'"),
    ],
)
def test_what_cannot_be_played_is_said_and_no_verdict(
    project: Path, monkeypatch: pytest.MonkeyPatch, replies: list[str], arguments: tuple[str, ...], says: str
) -> None:
    result = played(monkeypatch, replies, *arguments)

    assert result.exit_code == 2
    assert says in result.stderr


def test_an_alias_without_a_model_is_an_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEHOUSE_MODELS", raising=False)

    result = CliRunner().invoke(app, ["canary", "--live", "writer", "--accept"])

    assert (result.exit_code, "No model is configured for the alias 'writer'" in result.stderr) == (2, True)


TEN = {f"w/{n}": (True,) * 5 for n in range(10)}


def accepted(**changes: object) -> Accepted:
    values = {"alias": "writer", "models": ("m",), "versions": {"w": "v1"}, "passed": TEN}
    return Accepted.model_validate(values | changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"versions": {"w": "v2"}}, "another version"),
        ({"alias": "judge"}, "alias 'writer'"),
        ({"passed": {"w/0": (True,) * 5}}, "dataset has changed at w/1"),
    ],
)
def test_what_is_not_the_models_doing_is_not_called_drift(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        drift(accepted(), accepted(**changes))


@pytest.mark.parametrize(("lost", "answer"), [(0, "no worse"), (1, "inconclusive"), (6, "worse")])
def test_one_bad_turn_is_no_alarm_and_many_are(lost: int, answer: str) -> None:
    now = {case: (False,) * (2 if n < lost else 0) + (True,) * (3 if n < lost else 5) for n, case in enumerate(TEN)}

    assert drift(accepted(), accepted(passed=now)).rates.answer == answer


def test_the_shipped_canary_names_cases_of_every_workflow() -> None:
    folders = read_dataset(ROOT / "evals", "canary")

    registered = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    assert len(folders) >= significance.LEAST_CASES
    assert {folder.workflow for folder in folders} == set(registered)
    assert all(folder.recordings for folder in folders)


def test_a_dataset_is_run_by_its_name_against_the_baselines_of_its_workflows() -> None:
    selections = select(ROOT / "evals", ["canary"], (), None)

    assert [len(selection.cases) for selection in selections] == [5, 5, 5, 5]
    assert not any(selection.whole for selection in selections)
    assert all(selection.baseline.exists() for selection in selections)
