"""Conversations recorded elsewhere become cases of `booking`: written ones, and real ones where they are at hand."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from contracts.errors import ConfigurationError
from engine.wiring import Engine
from evals.case_files import read_case
from evals.commands import app
from evals.opening import open_for_evals
from evals.run import run_case
from evals.tau_bench.airline import read_airline_tasks, replay_airline
from evals.tau_bench.gold import through_the_workflow
from evals.tau_bench.import_report import ImportReport, import_report
from evals.tau_bench.importing import AIRLINE, People, Wanted, copy_airline, import_run
from evals.tau_bench.recorded_runs import read_runs
from evals.tau_bench.report import report_of
from evals.tau_bench.said_again import say_again
from evals.worlds.airline_data import KINDS, read_airline
from evals.worlds.whole_records import data_of, digest_of
from tests.conftest import ROOT, fresh_database

OWN = ROOT / "evals" / "worlds" / "data" / "airline.yaml"
REAL = Path(os.environ.get("SHARED_DATA") or ROOT.parent / "shared" / "data") / "tau_bench" / "airline"
BAGS: dict[str, Any] = {
    "name": "update_reservation_baggages",
    "kwargs": {
        "reservation_id": "ADA001",
        "total_baggages": 2,
        "nonfree_baggages": 0,
        "payment_id": "credit_card_2101001",
    },
}


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as dsn:
        yield dsn


@pytest.fixture(scope="module")
async def engine(database: str) -> AsyncIterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database)
        async with open_for_evals() as engine:
            yield engine


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def hears(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def uses(name: str, args: dict[str, Any], observed: str = "{}") -> list[dict[str, Any]]:
    """Every call has the same id: on record they repeat."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(args)}}
    answer = {"role": "tool", "tool_call_id": "call_1", "name": name, "content": observed}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}, answer]


ONE_MORE_BAG = [
    {"role": "system", "content": "Be of help."},
    hears("One more bag for ADA001, please."),
    says("Who are you?"),
    hears("I am ada_moss_2101."),
    *uses("get_reservation_details", {"reservation_id": "ADA001"}),
    *uses("think", {"thought": "Three bags are free."}, ""),
    *uses("calculate", {"expression": "1 + 1"}, "2.0"),
    says("Two bags will be free, 1,000 thanks. Shall I?"),
    hears("Yes."),
    *uses(BAGS["name"], BAGS["kwargs"]),
    says("It is done."),
    hears("###STOP###"),
]
FORBIDDEN = [
    hears("ada_moss_2101 here. Cancel ADA002, my plans have changed."),
    *uses("cancel_reservation", {"reservation_id": "ADA002"}),
    says("It is cancelled."),
    hears("Good. ###STOP###"),
]
CUT_OFF = [hears("Hello?"), says("Yes?"), hears("Hm.")]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own small airline in the benchmark's form, two tasks and a run of each, and one that was cut off."""
    made, data = tmp_path_factory.mktemp("bench"), yaml.safe_load(OWN.read_text())
    for kind in KINDS:
        (made / f"{kind}.json").write_text(json.dumps(data[kind]))
    untouched = digest_of(data_of(data, KINDS).records)
    data["reservations"]["ADA001"]["total_baggages"] = 2
    changed = digest_of(data_of(data, KINDS).records)
    task = {"user_id": "ada_moss_2101", "instruction": "You are ada_moss_2101.", "observations": []}
    nothing = {"task": 1, "actions": [], "outputs": [], "final_data_sha256": untouched}
    bags = {"task": 0, "actions": [BAGS], "outputs": ["1000"], "final_data_sha256": changed, "observations": ["{}"]}
    (made / "tasks.jsonl").write_text("\n".join(json.dumps(task | one) for one in (bags, nothing)))
    runs = ((0, 0, 1.0, ONE_MORE_BAG), (1, 0, 0.0, FORBIDDEN), (1, 1, 0.0, CUT_OFF))
    lines = [json.dumps({"task": t, "trial": n, "reward": r, "messages": said}) for t, n, r, said in runs]
    (made / "runs-some-model.jsonl").write_text("\n".join(lines))
    return made


def copied(bench: Path, to: Path, old: str, new: str) -> None:
    for file in bench.iterdir():
        (to / file.name).write_text(file.read_text().replace(old, new) if old else file.read_text())


async def imported(
    engine: Engine, bench: Path, *names: str, into: Path | None = None, people: People = "agree"
) -> ImportReport:
    tasks = {task.number: task for task in read_airline_tasks(bench)}
    wanted = Wanted(bench, into, people)
    copy_airline(wanted)
    runs = [run for run in read_runs(bench) if run.name in names]
    came = [(await import_run(engine, wanted, tasks[run.task], run)).as_json() for run in runs]
    return import_report(json.loads(json.dumps(came)), seconds=0)


async def test_a_recorded_run_becomes_a_case_that_plays_again(engine: Engine, bench: Path, tmp_path: Path) -> None:
    report = await imported(engine, bench, "task-00-trial-0", into=tmp_path)
    case = read_case(tmp_path / "cases" / "booking" / "task-00-trial-0", "booking")

    again = await run_case(engine, case)

    assert (report.pass_hat["without guards"], report.pass_hat["with guards"]) == ([1.0], [1.0])
    assert (again.status, again.failures, again.missed) == ("passed", (), ())
    assert case.case.expect.effects["bag_changes"][0]["bags"] == 2
    assert [one.source for one in case.recordings].count("recorded") == 5
    assert report.put_in_or_left_out == {
        "left out: thought": 1,
        "left out: not on offer": 1,
        "identified by what they said": 1,
    }
    assert sorted(file.name for file in (tmp_path / AIRLINE).iterdir()) == [f"{kind}.json" for kind in KINDS]


async def test_what_the_rules_forbid_is_stopped_and_named(engine: Engine, bench: Path) -> None:
    report = await imported(engine, bench, "task-01-trial-0")

    assert report.repaired == {"task-01-trial-0": ["cancel_reservation: cancel-unless-may-cancel"]}
    assert (report.stopped, report.broken, report.outcomes) == ({"cancel-unless-may-cancel": 1}, {}, {"completed": 1})
    assert report.put_in_or_left_out["read first, for cancel_reservation"] == 1


async def test_who_did_not_come_for_something_does_not_confirm_it(engine: Engine, bench: Path, tmp_path: Path) -> None:
    copied(bench, tmp_path, "", "")
    other = json.loads((bench / "tasks.jsonl").read_text().splitlines()[1])
    (tmp_path / "tasks.jsonl").write_text(json.dumps(other | {"task": 0}))

    agreed = await imported(engine, tmp_path, "task-00-trial-0")
    knew = await imported(engine, tmp_path, "task-00-trial-0", people="know")

    assert (agreed.stopped, agreed.repaired) == ({}, {})
    assert knew.repaired == {"task-00-trial-0": ["update_reservation_baggages: not_confirmed"]}


async def test_a_run_that_was_cut_off_is_worth_nothing_and_is_said(engine: Engine, bench: Path) -> None:
    report = await imported(engine, bench, "task-01-trial-1")

    assert (report.cut_off, report.disagreeing) == (["task-01-trial-1"], {})
    assert report.outcomes == {"handed_off": 1}


async def test_a_reward_that_is_not_what_the_database_says_is_named(
    engine: Engine, bench: Path, tmp_path: Path
) -> None:
    copied(bench, tmp_path, '"outputs": ["1000"]', '"outputs": ["7"]')

    report = await imported(engine, tmp_path, "task-00-trial-0")

    assert not report.passed
    assert "not told everything" in report.disagreeing["task-00-trial-0"]


def test_every_reply_is_given_again_for_the_messages_it_was_given_to(bench: Path) -> None:
    (run, *_) = read_runs(bench)

    again = say_again(run)

    assert (again.replies, again.same, again.conflicts) == (7, 7, 0)


async def test_gold_actions_go_through_the_workflow_too(engine: Engine, bench: Path) -> None:
    (task, *_) = read_airline_tasks(bench)
    by_tools = await replay_airline(read_airline(bench), task)

    seen = await through_the_workflow(engine, bench, task, by_tools)

    assert (seen.governed, seen.denied, seen.outcome, seen.problems[1:]) == (True, (), "completed", ())
    assert report_of([seen.as_json()], seconds=0).governed == 1


def test_a_folder_without_runs_and_a_line_that_is_none_are_named(bench: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as nothing:
        read_runs(tmp_path)
    (tmp_path / "runs-m.jsonl").write_text('{"task": 1, "trial": 0, "reward": 0, "messages": []}')
    with pytest.raises(ConfigurationError) as broken:
        read_runs(tmp_path)

    assert "runs-*.jsonl" in nothing.value.hint
    assert "runs-m.jsonl:1" in broken.value.detail


def test_the_command_writes_cases_that_eval_run_takes(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    said = CliRunner().invoke(app, ["import", "tau-bench", str(bench), "--into", str(tmp_path), "--jobs", "1"])
    assert said.exit_code == 0, said.output
    assert "right with guards and wrong before: 1" in said.stdout

    ran = CliRunner().invoke(app, ["run", "booking", "--cases", str(tmp_path), "--json"])
    assert ran.exit_code == 0, ran.output
    assert [one["status"] for one in json.loads(ran.stdout)["cases"]] == ["passed"] * 3


def test_the_command_says_what_a_folder_lacks(bench: Path, tmp_path: Path) -> None:
    nothing = CliRunner().invoke(app, ["import", "tau-bench", str(tmp_path)])
    copied(bench, tmp_path, '"task": 1,', '"task": 9,')
    (tmp_path / "runs-some-model.jsonl").write_text((bench / "runs-some-model.jsonl").read_text())
    other = CliRunner().invoke(app, ["import", "tau-bench", str(tmp_path)])

    assert (nothing.exit_code, "no recorded runs" in nothing.stderr) == (2, True)
    assert (other.exit_code, "recorded runs of task 1" in other.stderr) == (2, True)


TELLING = (
    "task-05-trial-1",
    "task-26-trial-0",
    "task-31-trial-0",
    "task-41-trial-0",
    "task-45-trial-0",
    "task-46-trial-3",
)
"""Right ones over a changed cabin, a flown trip, an insurance and a late landing; one repaired; one cut off."""


@pytest.mark.skipif(not REAL.is_dir(), reason="no τ-bench data; name it with SHARED_DATA")
async def test_real_runs_are_worth_what_is_on_record_and_no_right_one_is_broken(engine: Engine) -> None:
    report = await imported(engine, REAL, *TELLING)

    assert report.passed, report.page()
    assert report.runs == len(TELLING)
    assert list(report.repaired) == ["task-41-trial-0"]
    assert report.cut_off == ["task-46-trial-3"]
    assert set(report.outcomes) <= {"completed", "handed_off"}
