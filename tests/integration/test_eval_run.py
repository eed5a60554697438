"""`gatehouse eval` as people call it: real graph, gateway, approvals and Postgres over a copy of a few cases."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from typer.testing import CliRunner, Result

from evals.commands import app
from evals.progress import CaseProgress, Finished
from tests.conftest import ROOT, fresh_database
from tests.eval_project import eval_project

CASES = ("duplicate-restaurant", "flight-lowered", "fraud")
WORKFLOW = "billing_dispute"


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as dsn:
        yield dsn


@pytest.fixture
def project(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of one workflow, with prompts and three cases of its own; the workflow's code is the installed one."""
    monkeypatch.setenv("DATABASE_URL", database)
    eval_project(tmp_path, WORKFLOW, CASES, monkeypatch)
    accepted = json.loads((ROOT / "evals" / "baselines" / f"{WORKFLOW}.json").read_text())
    baseline_of(tmp_path).parent.mkdir()
    baseline_of(tmp_path).write_text(json.dumps({name: accepted[name] for name in CASES}))
    return tmp_path


def baseline_of(project: Path) -> Path:
    return project / "evals" / "baselines" / f"{WORKFLOW}.json"


def change_prompt(project: Path, name: str, old: str, new: str) -> None:
    file = project / "graphs" / WORKFLOW / "prompts" / f"{name}.md"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def change_baseline(project: Path, case: str, **changes: object) -> None:
    baseline = json.loads(baseline_of(project).read_text())
    baseline[case] |= changes
    baseline_of(project).write_text(json.dumps(baseline))


def change_case(project: Path, case: str, **changes: object) -> None:
    file = project / "evals" / "cases" / WORKFLOW / case / "case.yaml"
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    content["expect"] |= changes
    file.write_text(yaml.safe_dump(content))


def evals(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_cases_pass_and_do_what_was_accepted(project: Path) -> None:
    result = evals("run", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert {case["case"]: case["status"] for case in report["cases"]} == dict.fromkeys(CASES, "passed")
    assert report["baseline"] == []
    lowered = report["cases"][1]
    assert lowered["gates"] == ["refund-over-limit-eur"]
    assert [refund["amount_cents"] for refund in lowered["effects"]["refunds"]] == [100_000]


def test_two_runs_report_the_same(project: Path) -> None:
    first, second = (json.loads(evals("run", "--json").stdout) for _ in range(2))

    for case in first["cases"] + second["cases"]:
        del case["ms"], case["graph_ms"]
    assert first["cases"] == second["cases"]


def test_a_changed_prompt_makes_its_recordings_stale(project: Path) -> None:
    change_prompt(project, "assess_dispute", "You advise a billing team", "You help a billing team")

    result = evals("run")

    assert result.exit_code == 4, result.output
    assert "stale the prompt assess_dispute of the stage assess in 2 case(s)" in result.stdout
    assert "the system prompt, the schema or a parameter changed" in result.stdout
    assert "1 passed, 2 stale" in result.stdout


def test_rekeying_lets_written_replies_hold_for_a_changed_prompt(project: Path) -> None:
    change_prompt(project, "assess_dispute", "You advise a billing team", "You help a billing team")

    rekeyed = evals("rekey")

    assert rekeyed.exit_code == 0, rekeyed.output
    assert "3 cases: new keys in 2" in rekeyed.stdout
    assert evals("run").exit_code == 0


def test_rekeying_leaves_a_case_alone_whose_replies_do_not_suffice(project: Path) -> None:
    calls = project / "evals" / "cases" / WORKFLOW / "duplicate-restaurant" / "calls.jsonl"
    calls.write_text("".join(calls.read_text().splitlines(keepends=True)[:-1]))
    before = calls.read_text()

    result = evals("rekey", "--case", "duplicate-restaurant")

    assert result.exit_code == 1
    assert "There are no more replies for 'draft_reply'" in result.stdout
    assert calls.read_text() == before


def test_a_case_unlike_the_baseline_is_a_regression_with_a_diff(project: Path) -> None:
    change_baseline(project, "fraud", outcome="completed")

    result = evals("run")

    assert result.exit_code == 1
    assert "baseline fraud behaves differently" in result.stdout
    assert '- "outcome": "completed",' in result.stdout
    assert '+ "outcome": "handed_off",' in result.stdout


def test_cases_that_are_new_or_gone_are_reported(project: Path) -> None:
    baseline = json.loads(baseline_of(project).read_text())
    baseline["long-gone"] = baseline.pop("fraud")
    baseline_of(project).write_text(json.dumps(baseline))

    result = evals("run")

    assert result.exit_code == 1
    assert "fraud is not in the baseline" in result.stdout
    assert "long-gone is only in the baseline" in result.stdout


def test_accepting_makes_the_present_behaviour_the_baseline(project: Path) -> None:
    change_baseline(project, "fraud", outcome="completed")

    assert evals("run", "--accept").exit_code == 0
    assert evals("run").exit_code == 0


def test_accepting_some_cases_keeps_the_others(project: Path) -> None:
    change_baseline(project, "fraud", outcome="completed")
    change_baseline(project, "flight-lowered", outcome="completed_by_hand")

    evals("run", "--accept", "--case", "fraud")

    accepted = json.loads(baseline_of(project).read_text())
    assert accepted["fraud"]["outcome"] == "handed_off"
    assert accepted["flight-lowered"]["outcome"] == "completed_by_hand"


def test_a_failed_expectation_is_shown_and_not_accepted(project: Path) -> None:
    change_case(project, "flight-lowered", gates=[], outcome="rejected")
    before = baseline_of(project).read_text()

    result = evals("run", "--accept")

    assert result.exit_code == 1
    assert "expected  rejected" in result.stdout
    assert "was       completed" in result.stdout
    assert "Nothing was accepted" in result.stderr
    assert baseline_of(project).read_text() == before


def test_a_changed_record_makes_a_call_stale_with_a_diff(project: Path) -> None:
    file = project / "evals" / "cases" / WORKFLOW / "fraud" / "case.yaml"
    file.write_text(file.read_text().replace("I think someone stole", "Somebody stole"))

    result = evals("run", "--case", "fraud")

    assert result.exit_code == 4
    assert "hey, Somebody stole" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--case", "nothing"), "has no case 'nothing'"),
        (("run", "no_workflow"), "The workflow 'no_workflow' has no cases"),
        (("rekey", "--case", "nothing"), "has no case 'nothing'"),
    ],
)
def test_what_does_not_exist_is_a_mistake_in_usage(project: Path, arguments: tuple[str, ...], said: str) -> None:
    result = evals(*arguments)

    assert result.exit_code == 2
    assert said in result.stderr


def test_an_invalid_case_is_named_before_anything_runs(project: Path) -> None:
    change_case(project, "fraud", outcome="fine")

    result = evals("run")

    assert result.exit_code == 2
    assert "billing_dispute/fraud/case.yaml: expect.outcome" in result.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"stages": {"mode": "subset", "path": ["asses"]}},
            "expect.stages.path.0: 'asses' is no stage of this workflow",
        ),
        ({"problem": {"code": "x", "category": "tool", "stage": "pay"}}, "expect.problem.stage: 'pay' is no stage"),
    ],
)
def test_a_case_with_an_unknown_stage_is_named_before_anything_runs(
    project: Path, changes: dict[str, Any], said: str
) -> None:
    change_case(project, "fraud", **changes)

    result = evals("run")

    assert result.exit_code == 2
    assert f"billing_dispute/fraud/case.yaml: {said}" in result.stderr
    assert "(invalid_eval_file)" in result.stderr


def test_a_recording_of_an_unknown_prompt_or_that_is_broken_is_named(project: Path) -> None:
    file = project / "evals" / "cases" / WORKFLOW / "fraud" / "calls.jsonl"
    file.write_text(file.read_text().replace('"stage": "classify_issue"', '"stage": "clasify_issue"'))
    unknown = evals("run")
    file.write_text(file.read_text()[:40])
    broken = evals("run")

    assert (unknown.exit_code, broken.exit_code) == (2, 2)
    assert "calls.jsonl: 1: stage: 'clasify_issue' is no prompt of this workflow; perhaps 'classify_issue'?" in (
        unknown.stderr.replace("\n", " ")
    )
    assert "(invalid_eval_file)" in broken.stderr


def test_a_baseline_of_another_workflow_or_version_is_refused(project: Path) -> None:
    accepted = json.loads(baseline_of(project).read_text())
    baseline_of(project).write_text(json.dumps({f"other-{name}": entry for name, entry in accepted.items()}))
    of_another = evals("run", "--case", "fraud"), evals("run")
    baseline_of(project).write_text(json.dumps({"fraud": {"outcome": "completed"}}))
    older = evals("run", "--case", "fraud")

    assert [result.exit_code for result in of_another] == [1, 2]
    assert "it is another workflow's. (invalid_eval_file)" in of_another[1].stderr.replace("\n", " ")
    assert older.exit_code == 2
    assert "written by another version" in older.stderr


def test_progress_is_a_line_for_each_tenth_where_there_is_no_terminal(project: Path) -> None:
    result = evals("run", "--case", "fraud", "--case", "flight-lowered")

    assert result.stderr.splitlines() == ["1 of 2 cases, 1 passed", "2 of 2 cases, 2 passed"]


def test_a_database_of_its_own_is_gone_afterwards(project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    result = evals("run", "--case", "fraud")

    assert result.exit_code == 0, result.output
    assert list(folder.glob("gatehouse-evals-*")) == []
    running = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert [command for command in running if str(folder / "gatehouse-evals-") in command] == []


def test_a_changed_word_of_a_prompt_is_shown_and_only_its_cases_run_again(project: Path) -> None:
    assert evals("run", "--accept").exit_code == 0
    change_prompt(project, "assess_dispute", "You advise a billing team", "You help a billing team")

    result = evals("run", "--changed")

    assert result.exit_code == 4, result.output
    assert "2 cases: 2 stale" in result.stdout
    assert "-You advise a billing team" in result.stdout
    assert "+You help a billing team" in result.stdout


def test_nothing_runs_where_nothing_has_changed(project: Path) -> None:
    assert evals("run", "--accept").exit_code == 0

    result = evals("run", "--changed")

    assert (result.exit_code, "0 cases: none run" in result.stdout) == (0, True), result.output


def test_a_changed_case_runs_again_alone_and_is_accepted_again(project: Path) -> None:
    assert evals("run", "--accept").exit_code == 0
    change_case(project, "fraud", forbidden=[])

    first, second = evals("run", "--changed", "--accept", "--json"), evals("run", "--changed", "--json")

    assert [case["case"] for case in json.loads(first.stdout)["cases"]] == ["fraud"]
    assert json.loads(second.stdout)["cases"] == []


def interrupt_after(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C does."""
    advance, left = CaseProgress.advance, iter(range(turns))

    def interrupted(self: CaseProgress, result: Finished) -> None:
        advance(self, result)
        if next(left, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(CaseProgress, "advance", interrupted)


def test_an_interrupted_run_goes_on_where_it_was(project: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(1, patch)
        interrupted = evals("run")

    gone_on, after = evals("run", "--json"), evals("run")

    assert interrupted.exit_code not in {0, 1, 4} or "Aborted" in interrupted.output
    assert "2 had been done before the last run was interrupted" in gone_on.stderr
    assert {case["status"] for case in json.loads(gone_on.stdout)["cases"]} == {"passed"}
    assert len(json.loads(gone_on.stdout)["cases"]) == 3
    assert "had been done" not in after.stderr


def test_what_has_changed_since_an_interruption_is_played_again(project: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(1, patch)
        evals("run")
    change_case(project, "duplicate-restaurant", outcome="rejected")

    result = evals("run")

    assert result.exit_code == 1
    assert "1 had been done before" in result.stderr


def test_a_fresh_run_begins_anew(project: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(1, patch)
        evals("run")

    result = evals("run", "--fresh")

    assert (result.exit_code, "had been done" in result.stderr) == (0, False)


def test_each_turn_of_a_case_is_held_against_the_baseline(project: Path) -> None:
    result = evals("run", "--case", "fraud", "--repeat", "3", "--json")

    report = json.loads(result.stdout)
    assert (result.exit_code, [case["turn"] for case in report["cases"]]) == (0, [1, 2, 3])


def test_a_run_connects_to_nothing_but_its_database_and_says_what_it_adds(project: Path) -> None:
    result = evals("run", "--json")

    report = json.loads(result.stdout)
    assert report["connections"] == []
    assert 0 < report["median"]["graph_ms"] <= report["median"]["ms"]
