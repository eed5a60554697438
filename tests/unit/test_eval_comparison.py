"""Two runs held against each other: what differs, where first, what it is worth, and the page that shows it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.errors import ConfigurationError
from evals.commands import app
from evals.comparing import compare_runs
from evals.results import as_results, read_results

CASE: dict[str, Any] = {
    "workflow": "loans",
    "case": "small",
    "turn": 1,
    "title": "A <small> loan",
    "status": "passed",
    "outcome": "completed",
    "problem": {},
    "path": ["read", "assess", "pay", "close"],
    "gates": [],
    "effects": {"payments": [{"amount_cents": 100}]},
    "ms": 10.0,
}


def results(folder: Path, name: str, *cases: dict[str, Any], mode: str = "replay") -> Path:
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"cases": [CASE | case for case in cases], "mode": mode}))
    return file


def turns(passed: int, of: int, cases: int) -> list[dict[str, Any]]:
    return [
        {"case": f"case-{case}", "turn": turn, "status": "passed" if turn <= passed else "failed"}
        for case in range(cases)
        for turn in range(1, of + 1)
    ]


def compared(before: Path, after: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["compare", str(before), str(after), *more])


def test_the_same_run_does_not_differ(tmp_path: Path) -> None:
    same = results(tmp_path, "same", {})

    found = compared(same, same)

    assert (found.exit_code, "1 cases in both, 0 differ" in found.stdout) == (0, True)


@pytest.mark.parametrize(
    ("after", "change", "where"),
    [
        ({"status": "failed", "path": ["read", "refuse"]}, "broken", "stage 2: refuse instead of assess"),
        ({"path": ["read", "assess", "pay"]}, "differs", "stage 4: the end instead of close"),
        ({"effects": {}, "gates": ["a"]}, "differs", "the same stages, other gates, effects"),
        ({"case": "other"}, "new", ""),
    ],
)
def test_a_difference_is_named_with_its_first_stage(
    tmp_path: Path, after: dict[str, Any], change: str, where: str
) -> None:
    found = compared(results(tmp_path, "a", {}), results(tmp_path, "b", after), "--json")

    said = json.loads(found.stdout)["divergences"]
    assert found.exit_code == 1
    assert (change, where) in [(one["change"], one["where"]) for one in said]


def test_a_case_that_passes_now_is_no_failure(tmp_path: Path) -> None:
    found = compared(results(tmp_path, "a", {"status": "failed"}), results(tmp_path, "b", {}))

    assert (found.exit_code, "mended" in found.stdout) == (0, True)


def test_a_stale_case_says_nothing(tmp_path: Path) -> None:
    found = compared(results(tmp_path, "a", {}), results(tmp_path, "b", {"status": "stale", "path": []}))

    assert (found.exit_code, "stale: loans/small" in found.stdout) == (4, True)


@pytest.mark.parametrize(
    ("before", "after", "cases", "code", "answer"),
    [(5, 3, 20, 1, "worse"), (4, 4, 20, 0, "no worse"), (5, 3, 5, 3, "inconclusive")],
)
def test_a_model_is_judged_by_rates(
    tmp_path: Path, before: int, after: int, cases: int, code: int, answer: str
) -> None:
    one = results(tmp_path, "a", *turns(before, 5, cases), mode="live")
    other = results(tmp_path, "b", *turns(after, 5, cases), mode="live")

    found = compared(one, other)

    assert (found.exit_code, f"\n{answer}: " in found.stdout) == (code, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), ("<html>", "holds no results of a run"), ('{"cases": [{}]}', "cases.0.workflow")],
)
def test_a_file_that_holds_no_results_is_a_mistake_in_usage(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "a.json"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigurationError, match=re.escape(said)):
        read_results(file)
    assert compared(file, file).exit_code == 2


def test_an_accepted_baseline_can_be_compared_with(tmp_path: Path) -> None:
    behaviour = {name: CASE[name] for name in ("outcome", "problem", "path", "gates", "effects")}
    ran = read_results(results(tmp_path, "a", {}))

    assert compare_runs(as_results({"loans": {"small": behaviour}}), ran).divergences == ()


def test_the_page_needs_nothing_else_and_shows_both_ways(tmp_path: Path) -> None:
    before, after = results(tmp_path, "a", {}), results(tmp_path, "b", {"path": ["read", "refuse"], "status": "failed"})
    page = tmp_path / "page.html"

    written = CliRunner().invoke(app, ["report", str(after), "--against", str(before), "-o", str(page)])

    html = page.read_text()
    assert written.exit_code == 0, written.output
    assert not re.search(r"(src|href)=|@import|https?://", html)
    assert "A &lt;small&gt; loan" in html
    assert "prefers-color-scheme: dark" in html
    assert "<span class='stage other'>assess</span>" in html
    assert "<span class='stage other'>refuse</span>" in html
