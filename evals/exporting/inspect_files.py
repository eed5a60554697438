"""Cases as a dataset of Inspect and a task that plays them. Inspect itself is not needed to write them."""

import json
from collections.abc import Sequence
from pathlib import Path

from contracts.approval import JsonObject
from evals.case_files import CaseFolder
from evals.exporting.examples import write_lines, write_text
from evals.recording.masking import masked

TASK, CASES = "gatehouse_cases.py", "cases.jsonl"
_TASK_TEXT = Path(__file__).with_name("inspect_task.py.txt")


def write_inspect(folder: Path, cases: Sequence[CaseFolder]) -> None:
    """`cases.jsonl` and the task file that reads it. Raises `ConfigurationError` for a place that cannot be written."""
    write_lines(folder / CASES, [_sample(case) for case in cases])
    write_text(folder / TASK, _TASK_TEXT.read_text(encoding="utf-8"))


def _sample(folder: CaseFolder) -> JsonObject:
    """What is asked for, as text, and the outcome that is expected; everything else is for readers."""
    case = folder.case
    return {
        "id": f"{folder.workflow}/{folder.name}",
        "input": json.dumps(masked(case.input), ensure_ascii=False, sort_keys=True, indent=1),
        "target": case.expect.outcome,
        "workflow": folder.workflow,
        "case": folder.name,
        "title": masked(case.title),
        "kind": case.kind,
    }
