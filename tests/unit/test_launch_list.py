"""Nothing goes live that lacks an owner, a measure, an SLA, an escalation, gates, cases, faults or a baseline."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import cli
from contracts.errors import NotToBePromoted
from contracts.policy import allow
from engine.catalog.catalog import load_catalog
from engine.catalog.lock import lock_one, read_lock
from engine.catalog.patterns import Sighting
from engine.catalog.workflow import Workflow
from evals.case_files import read_cases
from evals.fault_results import accept_faults, file_of
from evals.faulting import Borne, cells_of
from evals.launch import launch_list, promote
from evals.sources import Sources, sources_of, write_sources
from tests.conftest import ROOT

NAME = "billing_dispute"
SEEN = {"outcome": "completed", "problem": {}, "path": [], "gates": [], "effects": {}}
Change = Callable[[Path, Workflow], Workflow]


@pytest.fixture(scope="module")
def shipped() -> Workflow:
    return load_catalog(ROOT / "langgraph.json", routes={})[NAME]


@pytest.fixture
def evals(tmp_path: Path, shipped: Workflow) -> Path:
    """A copy of its cases, with a baseline that was accepted with it as it is."""
    shutil.copytree(ROOT / "evals" / "cases" / NAME, tmp_path / "cases" / NAME)
    (tmp_path / "baselines").mkdir()
    accepted(tmp_path, shipped)
    return tmp_path


def accepted(evals: Path, workflow: Workflow) -> None:
    folders = read_cases(evals / "cases", NAME)
    (evals / "baselines" / f"{NAME}.json").write_text(json.dumps({folder.name: SEEN for folder in folders}))
    write_sources(evals / "baselines" / f"{NAME}.sources.json", sources_of(workflow, folders))
    borne = [Borne(cell, "handed_off", "", ()) for cell in cells_of(workflow, ())]
    accept_faults(file_of(evals, NAME), workflow, folders, borne)


def with_policy(**changes: Any) -> Change:
    return lambda evals, workflow: replace(workflow, policy=replace(workflow.policy, **changes))


def with_queue(**changes: Any) -> Change:
    return lambda evals, workflow: with_policy(queue=replace(workflow.policy.queue, **changes))(evals, workflow)


def open_to_all(evals: Path, workflow: Workflow) -> Workflow:
    rules = tuple(allow(f"all-{tool.name}", tool.name, why="Fine.") for tool in workflow.policy.tools if tool.writes)
    return with_policy(rules=rules, waivers=(), guarded=None)(evals, workflow)


def without(*words: str) -> Change:
    """Without the cases whose file has one of these words."""

    def drop(evals: Path, workflow: Workflow) -> Workflow:
        for file in [*(evals / "cases" / NAME).glob("*/case.yaml")]:
            if any(word in file.read_text() for word in words):
                shutil.rmtree(file.parent)
        return workflow

    return drop


def forgotten(evals: Path, workflow: Workflow) -> Workflow:
    (evals / "baselines" / f"{NAME}.json").unlink()
    return workflow


def unbroken(evals: Path, workflow: Workflow) -> Workflow:
    file_of(evals, NAME).unlink()
    return workflow


def broken_before(evals: Path, workflow: Workflow) -> Workflow:
    """Faults were accepted, and since then a module has changed."""
    return replace(workflow, manifest=workflow.manifest | {"code": {}})


def partly_broken(evals: Path, workflow: Workflow) -> Workflow:
    accept_faults(file_of(evals, NAME), workflow, [], [])
    return workflow


def not_borne(evals: Path, workflow: Workflow) -> Workflow:
    crashed = [Borne(cell, "failed_safe", "", ("code has crashed",)) for cell in cells_of(workflow, ())]
    accept_faults(file_of(evals, NAME), workflow, [], crashed)
    return workflow


def of_another_version(evals: Path, workflow: Workflow) -> Workflow:
    write_sources(evals / "baselines" / f"{NAME}.sources.json", Sources())
    return workflow


MISSING: list[tuple[str, Change]] = [
    ("owner", with_policy(owner="")),
    ("success criteria", with_policy(success="")),
    ("SLA", with_queue(target_s=0)),
    ("escalation", with_queue(escalation=())),
    ("gates", open_to_all),
    ("cases", without("kind: ugly_vague")),
    ("fault tests", unbroken),
    ("fault tests", broken_before),
    ("fault tests", partly_broken),
    ("fault tests", not_borne),
    ("fault tests", without("kind: model_wrong")),
    ("baseline passed", forgotten),
    ("baseline passed", of_another_version),
]


def test_everything_that_is_there_is_shown_with_its_evidence(evals: Path, shipped: Workflow) -> None:
    items = launch_list(shipped, evals, [])

    assert [(item.name, item.evidence) for item in items if not item.met] == []
    assert {item.name for item in items} == {name for name, _ in MISSING} | {"declared parts", "anti-patterns"}
    assert shipped.version in " ".join(
        item.evidence for item in items if item.name in ("fault tests", "baseline passed")
    )


@pytest.mark.controls
@pytest.mark.parametrize(("name", "change"), MISSING)
def test_what_lacks_a_part_is_not_promoted(evals: Path, shipped: Workflow, name: str, change: Change) -> None:
    lock, lacking = evals / "gatehouse.lock", change(evals, shipped)

    with pytest.raises(NotToBePromoted, match=name):
        promote(lock, lacking, evals, [])
    assert not lock.exists()


@pytest.mark.controls
@pytest.mark.parametrize(("pattern", "name"), [("duty-without-owner", "owner"), ("recovery", "declared parts")])
def test_what_nobody_answers_for_or_does_not_declare_is_not_promoted(
    evals: Path, shipped: Workflow, pattern: str, name: str
) -> None:
    found = Sighting(pattern, "error", NAME, "It is missing", "Why.", "Do.")

    with pytest.raises(NotToBePromoted, match=name):
        promote(evals / "gatehouse.lock", shipped, evals, [found])


def test_what_has_everything_is_locked(evals: Path, shipped: Workflow) -> None:
    promote(evals / "gatehouse.lock", shipped, evals, [])

    assert "policy" in read_lock(evals / "gatehouse.lock")["workflows"][NAME]


def test_an_anti_pattern_that_must_not_be_is_on_the_list(evals: Path, shipped: Workflow) -> None:
    found = Sighting("catch-all", "error", NAME, "It catches.", "Why.", "Do.")

    assert [item.name for item in launch_list(shipped, evals, [found]) if not item.met] == ["anti-patterns"]


def gatehouse(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


@pytest.mark.controls
def test_what_lacks_something_is_not_promoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its code and its policy, and neither cases nor a baseline."""
    registered = {"dependencies": ["."], "graphs": {NAME: f"./graphs/{NAME}/graph.py:graph"}}
    (tmp_path / "langgraph.json").write_text(json.dumps(registered))
    shutil.copytree(ROOT / "graphs" / NAME, tmp_path / "graphs" / NAME)
    monkeypatch.setenv("GATEHOUSE_REGISTRY", str(tmp_path / "langgraph.json"))
    monkeypatch.syspath_prepend(ROOT)

    checked, promoted = gatehouse("launch-check", NAME, "--json"), gatehouse("promote", NAME)

    assert (checked.exit_code, promoted.exit_code) == (1, 1)
    assert json.loads(checked.stdout)["met"] is False
    assert "no baseline was accepted" in promoted.stdout
    assert not (tmp_path / "gatehouse.lock").exists()


def test_promoting_one_leaves_the_others_as_they_were_locked(tmp_path: Path, shipped: Workflow) -> None:
    file = tmp_path / "gatehouse.lock"
    file.write_text(json.dumps({"workflows": {"other": {"policy": "x"}}, "mcp_servers": {}}))

    lock_one(file, shipped)

    found = read_lock(file)
    assert (found["workflows"]["other"], found["mcp_servers"]) == ({"policy": "x"}, {})
    assert "policy" in found["workflows"][NAME]
