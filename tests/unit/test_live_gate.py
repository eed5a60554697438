"""What a live run is worth: worse, no worse, or that nothing can be said; a breach fails however rare it is."""

import pytest

from evals.live_gate import exit_code_of_live, judge_live
from evals.observation import Observation
from evals.replies import Miss
from evals.results import RanCases
from evals.run import Result
from evals.scorers import Failure

WRONG = Failure("outcome", "completed", "handed_off")


def turns(case: str, passed: str, *, breaches: tuple[str, ...] = (), missed: tuple[Miss, ...] = ()) -> list[Result]:
    """`passed` has a letter for each turn: `+` or `-`."""
    seen = Observation("completed", (), (), breaches=breaches)
    return [
        Result("w", case, "", seen, (WRONG,) if each == "-" else (), missed, 1.0, number)
        for number, each in enumerate(passed, start=1)
    ]


def many(passed: str, cases: int = 12) -> list[Result]:
    return [result for number in range(cases) for result in turns(f"case-{number}", passed)]


@pytest.mark.parametrize(
    ("passed", "answer", "code"),
    [("+++++", "no worse", 0), ("----+", "worse", 1), ("+", "inconclusive", 3), ("-", "inconclusive", 3)],
)
def test_a_live_run_is_held_against_what_was_accepted(passed: str, answer: str, code: int) -> None:
    results = many(passed)

    rates = judge_live(results, None)

    assert (rates.answer, exit_code_of_live(results, rates)) == (answer, code)


def test_a_live_run_is_held_against_another_one() -> None:
    results = many("++---")
    before = RanCases.model_validate(
        {
            "mode": "live",
            "cases": [
                {"workflow": r.workflow, "case": r.case, "status": r.status, "outcome": "completed"} for r in results
            ],
        }
    )

    assert judge_live(results, before).answer == "no worse"


def test_one_breach_fails_whatever_the_rates_say() -> None:
    results = [*many("+++++"), *turns("breach", "+++++", breaches=("mail.send_reply without an approval",))]

    assert exit_code_of_live(results, judge_live(results, None)) == 1


def test_a_case_without_a_recording_says_nothing_and_is_not_forgotten() -> None:
    results = [*many("+++++"), *turns("stale", "+++++", missed=(Miss("draft_reply", "none"),))]

    rates = judge_live(results, None)

    assert (rates.cases, exit_code_of_live(results, rates)) == (12, 4)
