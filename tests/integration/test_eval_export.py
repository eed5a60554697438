"""`gatehouse eval export`: files of other houses, and examples over real HTTP to a place that was configured for it."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evals.commands import app
from evals.exporting import langsmith_dataset
from tests.eval_project import eval_project
from tests.stubs.dataset_server import Datasets, dataset_server

WORKFLOW, CARD = "billing_dispute", "4111 1111 1111 1111"
CASES = ("flight-lowered", "fraud")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of one workflow with two cases, one of which names a card."""
    eval_project(tmp_path, WORKFLOW, CASES, monkeypatch)
    folder = tmp_path / "evals" / "cases" / WORKFLOW / CASES[-1]
    said = (folder / "case.yaml").read_text()
    (folder / "case.yaml").write_text(said.replace("complaint: ", f"complaint: {CARD} ", 1))
    return tmp_path


def export(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["export", *arguments])


def test_a_file_has_an_example_a_line_without_card_numbers(tmp_path: Path) -> None:
    file = tmp_path / "examples.jsonl"

    result = export("--langsmith", str(file))

    examples = [json.loads(line) for line in file.read_text().splitlines()]
    assert result.exit_code == 0, result.output
    assert [one["metadata"]["case"] for one in examples] == [*CASES]
    assert [one["outputs"]["outcome"] for one in examples] == ["completed", "handed_off"]
    assert (CARD in file.read_text(), "[card number]" in examples[1]["inputs"]["input"]["complaint"]) == (False, True)


def test_the_same_case_is_the_same_example_each_time(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        export("--langsmith", str(file))

    assert files[0].read_text() == files[1].read_text()


def test_inspect_gets_samples_and_a_task_that_reads_them(tmp_path: Path) -> None:
    export("--inspect", str(tmp_path / "inspect"))

    samples = [json.loads(line) for line in (tmp_path / "inspect" / "cases.jsonl").read_text().splitlines()]
    task = ast.parse((tmp_path / "inspect" / "gatehouse_cases.py").read_text())
    fields = next(node for node in ast.walk(task) if isinstance(node, ast.keyword) and node.arg == "metadata")
    named = ast.literal_eval(fields.value)
    assert [sample["id"] for sample in samples] == [f"{WORKFLOW}/{name}" for name in CASES]
    assert all(isinstance(sample[name], str) for sample in samples for name in ("input", "target", *named))
    assert CARD not in str(samples)


@pytest.fixture
def datasets(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Datasets]:
    """Where LangSmith is configured to be, with tracing asked for by the environment on top."""
    said: dict[str, Any] = getattr(request, "param", {})
    monkeypatch.setattr(langsmith_dataset, "_TIMEOUT_MS", (300, 300))
    with dataset_server(**said) as server:
        monkeypatch.setenv("GATEHOUSE_LANGSMITH_URL", server.url)
        monkeypatch.setenv("GATEHOUSE_LANGSMITH_API_KEY", "ls-key-of-a-test")
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)
        yield server


def test_the_examples_are_all_that_is_sent(datasets: Datasets) -> None:
    result = export("--upload", "--dataset", "disputes", "--json")

    posted = [path for method, path in datasets.asked if method == "POST"]
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["uploaded"] == 2
    assert [path.rpartition("/")[2] for path in posted] == ["datasets", "examples"]
    assert not any("runs" in path for path in posted)
    assert {value["outcome"] for name, value in datasets.parts().items() if name.endswith(".outputs")} == {
        "completed",
        "handed_off",
    }
    assert not any(word in datasets.text for word in (CARD, "runtime", "platform", "calls.jsonl"))


@pytest.mark.parametrize(
    ("datasets", "said"),
    [
        ({"status": 500}, "did not take the dataset"),
        ({"hangs_s": 5.0}, "did not take the dataset"),
        ({"html": True}, "did not take the dataset"),
        ({"known": ["gatehouse"]}, "has a dataset 'gatehouse' already"),
    ],
    indirect=["datasets"],
)
def test_an_endpoint_that_fails_hangs_or_is_another_is_said_and_ends_with_2(datasets: Datasets, said: str) -> None:
    result = export("--upload")

    assert (result.exit_code, said in " ".join(result.stderr.split())) == (2, True), result.output


def test_nothing_leaves_unless_configured_or_beyond_a_border(
    datasets: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_REGIONS", '{"*": "eu"}')
    beyond = export("--upload")
    monkeypatch.setenv("GATEHOUSE_LANGSMITH_URL", "")
    nowhere = export("--upload")

    assert (beyond.exit_code, nowhere.exit_code, datasets.asked) == (2, 2, [])
    assert "may not go to the configured LangSmith" in " ".join(beyond.stderr.split())
    assert "No LangSmith is configured" in " ".join(nowhere.stderr.split())
