"""`gatehouse check` on a workflow from which one of its eight parts, an owner's duty or a review was taken away."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cli
from engine.catalog import checks
from engine.catalog.catalog import load_catalog
from engine.catalog.parts import OF_OWNERS, OF_PARTS
from engine.catalog.patterns import Seen, sight
from tests.conftest import ROOT

WHOLE = ROOT / "tests" / "registry" / "mutilated"
GATE = 'flow.add_node("approve_refund", **approval_gate(billing.issue_refund))'
NO_GATE = GATE.replace("approval_gate(billing.issue_refund)", "approval_gate(billing.list_charges)")
ROUTER = 'flow.add_conditional_edges("pay_refund", unless_stuck("close"))'
MUTILATED: dict[str, tuple[str, str, str, str]] = {
    "permissions": (
        "policy.py",
        '    roles=("finance",),',
        "",
        "asks for the role 'finance', which its POLICY does not list",
    ),
    "scoped-tools": (
        "graph.py",
        "read_bill, **reads(billing.list_charges))",
        'read_bill, metadata={"kind": "read"})',
        "stage 'read_bill' is of the kind read and names no tool",
    ),
    "durable-state": (
        "graph.py",
        "bill: NotRequired[dict[str, JsonValue]]",
        "bill: NotRequired[billing.ChargesReply]",
        "the channel 'bill' of its state holds 'ChargesReply'",
    ),
    "decisions": (
        "graph.py",
        ROUTER,
        'flow.add_conditional_edges("pay_refund", lambda state: "close")',
        "after 'pay_refund' does not say where it leads",
    ),
    "retries": (
        "graph.py",
        "read_bill, **reads(billing.list_charges))",
        "read_bill, retry_policy=types.RetryPolicy(), **reads(billing.list_charges))",
        "stage 'read_bill' has a retry policy beside the gateways'",
    ),
    "audit": ("policy.py", 'why="It is cheap."', 'why=" "', "rule 'cheap' does not say why"),
    "gates": ("graph.py", GATE, NO_GATE, "the write 'billing.issue_refund' has no stage of kind gate"),
    "recovery": (
        "graph.py",
        "@or_hand_off\n",
        "",
        "stage 'read_bill' may fail, and nothing says where its case goes then",
    ),
    "duty-without-owner": ("policy.py", '"dan"', '" "', "nobody has the duty 'monitoring'"),
}


def checked(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> tuple[int, dict[str, list[str]]]:
    """What `gatehouse check --json` says of the workflow in `folder / name`."""
    registered = {"dependencies": ["."], "graphs": {name: f"./{name}/graph.py:graph"}}
    (folder / "langgraph.json").write_text(json.dumps(registered))
    monkeypatch.setenv("GATEHOUSE_REGISTRY", str(folder / "langgraph.json"))
    monkeypatch.syspath_prepend(folder)
    result = CliRunner().invoke(cli.app, ["check", "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_the_whole_one_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(WHOLE, tmp_path / "whole")

    assert checked(tmp_path, monkeypatch, "whole")[1]["errors"] == []


@pytest.mark.parametrize("part", MUTILATED)
def test_a_part_that_is_missing_is_an_error(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, whole, mutilated, said = MUTILATED[part]
    name = f"without_{part.replace('-', '_')}"
    shutil.copytree(WHOLE, tmp_path / name)
    text = (tmp_path / name / file).read_text()
    assert whole in text
    (tmp_path / name / file).write_text(text.replace(whole, mutilated))

    code, told = checked(tmp_path, monkeypatch, name)

    assert code == 1
    assert [error for error in told["errors"] if f"({part})" in error and said in error], told


def test_every_part_has_a_fixture() -> None:
    assert {one.id for one in OF_PARTS} | set(checks.PARTS) >= set(MUTILATED) - {"duty-without-owner"}
    assert {one.id for one in OF_PARTS} <= set(MUTILATED)
    assert len(MUTILATED) == 8 + 1


@pytest.mark.parametrize(("today", "found"), [(date(2100, 1, 1), []), (date(2100, 1, 2), ["review-due"])])
def test_a_review_that_is_due_is_told(
    today: date, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(WHOLE, tmp_path / "due")
    checked(tmp_path, monkeypatch, "due")
    due = load_catalog(tmp_path / "langgraph.json", routes={})["due"]

    assert [one.pattern for one in sight(Seen(due, today=today), OF_OWNERS)] == found
