"""Human decisions as data: masked examples, what another run or policy would have changed of them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ConfigurationError
from engine.operations.examples import Example, examples_of, read_examples, write_examples
from evals.comparing import compare_runs
from evals.decided import changed_decisions, write_decisions
from evals.results import RanCases, Turn

CARD = "4539 1488 0343 6467"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def row(number: int, **changes: Any) -> dict[str, Any]:
    said = {"reason": "", "message": "", "reason_code": "", "edited": None, "looked_s": 30.0}
    where = {"id": f"r{number}", "thread_id": f"t{number}", "tool": "mail.send", "rule": "ask"}
    decided = {"status": "approved", "decided_by": "key:fin", "decided_at": NOON.replace(minute=number)}
    return where | decided | said | {"args": {"to": "a@b.c"}, "facts": {}, "host": {}} | changes


def test_rejections_and_edits_become_examples_with_their_reasons_and_without_names() -> None:
    rejected = row(2, status="rejected", reason=f"never to {CARD}", reason_code="wrong_payee", decided_by="key:mia")
    edited = row(1, status="edited", edited={"to": "x@y.z"}, facts={"note": CARD})

    first, second = examples_of([rejected, edited], "w")

    assert (first.decision, first.edited, first.facts) == ("edit", {"to": "x@y.z"}, {"note": "[card number]"})
    assert (second.decision, second.reason_code, second.reason) == ("reject", "wrong_payee", "never to [card number]")
    assert [first.by, second.by] == ["person 1", "person 2"]
    assert CARD not in first.as_line() + second.as_line()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    examples = examples_of([row(1), row(2, status="responded", message="say it shorter")], "w")

    write_examples(tmp_path / "d.jsonl", examples)

    assert read_examples(tmp_path / "d.jsonl") == examples


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "d.jsonl:2 is no decision: the line"),
        ('{"tool": "x"}', "d.jsonl:2 is no decision: workflow"),
        (None, "cannot be read"),
    ],
)
def test_a_line_that_is_no_decision_is_named(tmp_path: Path, line: str | None, says: str) -> None:
    file = tmp_path / "d.jsonl"
    if line is not None:
        file.write_text(f"{examples_of([row(1)], 'w')[0].as_line()}\n{line}\n")

    with pytest.raises(ConfigurationError, match=says):
        read_examples(file)


def decision(to: str, said: str = "approve") -> dict[str, Any]:
    where = {"tool": "mail.send", "rule": "ask", "facts": {}, "host": {}}
    return where | {"args": {"to": to}, "decision": said, "by": "key:fin"}


def ran(**cases: list[dict[str, Any]]) -> RanCases:
    turns = [
        Turn.model_validate({"workflow": "w", "case": n, "status": "passed", "outcome": "completed", "decisions": d})
        for n, d in cases.items()
    ]
    return RanCases(cases=tuple(turns))


def test_a_run_says_how_many_human_decisions_it_would_have_changed() -> None:
    before = ran(same=[decision("a")], other=[decision("b")], gone=[decision("c"), decision("d")], new=[])
    after = ran(same=[decision("a", "reject")], other=[decision("B")], gone=[decision("c")], new=[decision("e")])

    found = changed_decisions(before, after)

    assert (found.by_people, found.changed, found.asked_anew) == (4, ("w/gone", "w/other"), ("w/new",))
    assert compare_runs(before, after).as_json()["decisions"] == found.as_json()


def test_decisions_of_recorded_cases_are_written_as_examples(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"

    written = write_decisions(ran(one=[decision("a"), decision("b", "reject")], two=[]), file)

    found: list[Example] = read_examples(file)
    assert (written, [(one.case, one.decision) for one in found]) == (2, [("w/one", "approve"), ("w/one", "reject")])
