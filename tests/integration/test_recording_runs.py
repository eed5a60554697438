"""`gatehouse eval record`: a run of a production becomes a case, which then does the same without that production."""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from contracts.approval import JsonObject
from evals.commands import app
from tests.conftest import ROOT, SEAL_KEY, Site, fresh_database
from tests.engines import Bench, bench_on
from tests.stubs.openai_server import openai_endpoint

WORKFLOW = "billing_dispute"
CARD = "4111 1111 1111 1111"
ISSUE = '{"kind": "duplicate_charge", "amount_cents": null, "merchant": ""}'
FINDING = '{"remedy": "refund", "goodwill_cents": 0, "reason": "Posted twice.", "evidence": []}'
LETTER = '{"subject": "Your complaint", "body": "EUR 200.00 were paid back to your card."}'


@dataclass(frozen=True)
class Production:
    """A database in which a case has ended that finance lowered, and one waits."""

    dsn: str
    home: Path
    ended: str
    waiting: str


@pytest.fixture(scope="module")
def production(postgres: str, folder: Path) -> Iterator[Production]:
    home, path = folder / "production", [*sys.path]
    registry = make_project(folder / "its-project")
    with fresh_database(postgres) as dsn:
        ended, waiting = asyncio.run(two_cases(Site(dsn, home, folder / "unused", registry)))
        sys.path[:] = path  # loading the registry has added its folder
        yield Production(dsn, home, ended, waiting)


def make_project(folder: Path) -> Path:
    """A registry of one workflow, with prompts of its own; the workflow's code is the installed one."""
    registered = {"dependencies": ["."], "graphs": {WORKFLOW: f"./graphs/{WORKFLOW}/graph.py:graph"}}
    shutil.copytree(ROOT / "graphs" / WORKFLOW / "prompts", folder / "graphs" / WORKFLOW / "prompts")
    registry = folder / "langgraph.json"
    registry.write_text(json.dumps(registered))
    return registry


async def two_cases(site: Site) -> tuple[str, str]:
    with openai_endpoint(ISSUE, FINDING, LETTER) as endpoint:
        async with bench_on(site, model="gpt-test", model_base_url=endpoint.url) as bench:
            ended = await edited_case(bench)
            endpoint.replies = [*endpoint.replies, ISSUE, FINDING]
            waiting, _ = await bench.parked_case()
            return ended, waiting.id


async def edited_case(bench: Bench) -> str:
    complaint = f"I was charged twice for the same thing at Corner Shop. My card is {CARD}."
    run = await bench.accept({"complaint": complaint, "account_id": bench.new_account()})
    await bench.go_on()
    request = await bench.request_of(run)
    edited: JsonObject = {"name": request.tool, "args": request.args | {"amount_cents": 20_000}}
    await bench.approve(run, {"type": "edit", "edited_action": edited, "reason": "The rest is agreed."})
    await bench.go_on()
    return run.id


@pytest.fixture
def project(tmp_path: Path, production: Production, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of the same version, without any case."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # loading the registry adds its folder
    make_project(tmp_path)
    settle(monkeypatch, production, tmp_path)
    return tmp_path


def settle(patch: pytest.MonkeyPatch, production: Production, project: Path) -> None:
    patch.setenv("GATEHOUSE_REGISTRY", str(project / "langgraph.json"))
    patch.setenv("GATEHOUSE_HOME", str(production.home))
    patch.setenv("GATEHOUSE_SEAL_KEY", SEAL_KEY)
    patch.setenv("DATABASE_URL", production.dsn)


def evals(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def case_of(project: Path, name: str = "lowered") -> Path:
    return project / "evals" / "cases" / WORKFLOW / name


@pytest.fixture(scope="module")
def made(production: Production, folder: Path) -> Path:
    """The case, recorded once and read by nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        settle(patch, production, folder / "its-project")
        result = evals("record", production.ended, "--name", "lowered", "--into", str(folder / "made"), "--json")
    assert (result.exit_code, json.loads(result.stdout or "{}").get("played")) == (0, "passed"), result.output
    return folder / "made" / WORKFLOW / "lowered"


@pytest.fixture
def recorded(project: Path, made: Path) -> Path:
    """The case in the project."""
    return Path(shutil.copytree(made, project / "evals" / "cases" / WORKFLOW / "lowered"))


def played() -> tuple[int, list[dict[str, Any]]]:
    result = evals("run", "--json")
    cases: list[dict[str, Any]] = json.loads(result.stdout)["cases"]
    for case in cases:
        del case["ms"], case["graph_ms"]
    return result.exit_code, cases


def test_a_recorded_run_does_the_same_again_and_always(recorded: Path) -> None:
    first, second = played(), played()

    said = yaml.safe_load((recorded / "case.yaml").read_text())
    (case,) = first[1]
    assert first == second
    assert (first[0], case["status"], case["outcome"]) == (0, "passed", "completed")
    assert said["answers"] == [
        {"type": "edit", "by": "fin", "args": {"amount_cents": 20_000}, "reason": "The rest is agreed."}
    ]
    assert [refund["amount_cents"] for refund in case["effects"]["billing.issue_refund"]] == [20_000]


def test_one_changed_word_of_a_prompt_makes_a_recorded_case_stale(project: Path, recorded: Path) -> None:
    prompt = project / "graphs" / WORKFLOW / "prompts" / "assess_dispute.md"
    prompt.write_text(prompt.read_text().replace("You advise a billing team", "You help a billing team"))

    code, cases = played()

    assert (code, [case["status"] for case in cases]) == (4, ["stale"])


def test_a_call_that_was_not_recorded_asks_nobody_and_names_the_nearest(recorded: Path) -> None:
    tools = recorded / "tools.jsonl"
    tools.write_text(
        tools.read_text().replace('"amount_cents": 20000, "charge_id"', '"amount_cents": 19999, "charge_id"', 1)
    )

    result = evals("run")

    assert result.exit_code == 4, result.output
    assert "stale the tool billing.issue_refund" in result.stdout
    assert '- "amount_cents": 19999' in result.stdout


def test_what_must_not_be_kept_is_masked_in_every_file(recorded: Path) -> None:
    texts = [(recorded / name).read_text() for name in ("case.yaml", "calls.jsonl", "tools.jsonl")]

    assert not any(CARD in text for text in texts)
    assert ["[card number]" in text for text in texts] == [True, True, False]


def test_nothing_is_written_over_a_case_that_is_there(recorded: Path, production: Production) -> None:
    before = (recorded / "case.yaml").read_bytes()

    result = evals("record", production.ended, "--name", "lowered")

    assert result.exit_code == 2
    assert "already" in result.stderr
    assert (recorded / "case.yaml").read_bytes() == before


def test_a_case_that_waits_is_not_recorded(project: Path, production: Production) -> None:
    result = evals("record", production.waiting)

    assert (result.exit_code, "has not ended" in result.stderr) == (2, True)
    assert not (project / "evals").exists()


def test_the_run_of_another_tenant_is_not_there(project: Path, production: Production) -> None:
    result = evals("record", production.ended, "--tenant", "elsewhere")

    assert (result.exit_code, "There is no run" in result.stderr) == (2, True)


def test_a_run_of_another_version_is_not_recorded(project: Path, production: Production) -> None:
    prompt = project / "graphs" / WORKFLOW / "prompts" / "draft_reply.md"
    prompt.write_text(prompt.read_text().replace("friendly", "polite"))

    result = evals("record", production.ended)

    assert (result.exit_code, "of version" in result.stderr) == (2, True)
