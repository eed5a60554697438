"""`gatehouse lock`: what may start, and what is said of what differs from it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from contracts.errors import ChangedSinceLocked, ConfigurationError
from engine.catalog.catalog import load_catalog
from engine.catalog.lock import LOCK, differences, lock, require_locked
from tests.conftest import ROOT
from tests.locks import copy_of_project


def run(*arguments: str, registry: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lock", *arguments], env={"GATEHOUSE_REGISTRY": str(registry), "COLUMNS": "200"})
    return result.exit_code, result.output


def test_the_lock_that_ships_says_what_ships() -> None:
    code, said = run("--check", registry=ROOT / "langgraph.json")

    assert (code, "is what the lock says" in said) == (0, True), said


def test_a_change_is_named_accepted_and_then_in_order(tmp_path: Path) -> None:
    registry = copy_of_project(tmp_path)
    prompt = tmp_path / "graphs" / "procurement" / "prompts" / "read_request.md"
    prompt.write_text(prompt.read_text() + "And be quick.\n")

    first, accepted, then = (run(*asked, registry=registry) for asked in (("--check", "--json"), (), ("--check",)))

    assert (first[0], json.loads(first[1])) == (
        1,
        [{"workflow": "procurement", "part": "prompt read_request", "is_": "changed"}],
    )
    assert (accepted[0], then[0]) == (0, 0)


def test_what_is_new_or_gone_differs_and_a_workflow_of_which_nothing_is_said_does_not(tmp_path: Path) -> None:
    workflows = load_catalog(ROOT / "langgraph.json", routes={})
    one, path = workflows["billing_dispute"], tmp_path / LOCK
    lock(path, [one])
    renamed = replace(one, prompts={name: replace(p, name=f"{name}_2") for name, p in one.prompts.items()})

    found = {(each.part, each.is_) for each in differences(path, [renamed])}

    assert {("prompt draft_reply", "gone"), ("prompt draft_reply_2", "new")} <= found
    require_locked(path, workflows.values())
    with pytest.raises(ChangedSinceLocked):
        require_locked(path, [renamed])


def test_a_lock_keeps_what_servers_were_pinned_to(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text('{"servers": {"weather": {"address": "http://weather", "tools": {}}}}')

    lock(tmp_path / LOCK, load_catalog(ROOT / "langgraph.json", routes={}).values())

    assert json.loads((tmp_path / LOCK).read_text()).keys() == {"servers", "workflows"}


@pytest.mark.parametrize("text", ["{", "[]", '{"workflows": 1}', '{"workflows": {"a": []}}'])
def test_an_unreadable_lock_starts_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK).write_text(text)

    with pytest.raises(ConfigurationError):
        require_locked(tmp_path / LOCK, [])
