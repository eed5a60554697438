"""The gate of live evals: what it calls worse, when it says that it does not know, and how often it is wrong."""

import math
import random
from collections.abc import Sequence

import pytest

from benchmarks.eval_power import LEAST_FOUND, MOST_ALARMS, SHAPES, simulate
from evals.significance import Passed, compare_rates, pass_hat, turns_needed, wilson


def passing(cases: int, passed: int, turns: int = 5) -> Passed:
    return {str(case): [turn < passed for turn in range(turns)] for case in range(cases)}


def test_a_clear_loss_is_worse_and_a_clear_gain_is_not() -> None:
    before, less, more = passing(50, 4), passing(50, 2), passing(50, 5)

    assert compare_rates(before, less).answer == "worse"
    assert compare_rates(before, less).difference == pytest.approx(-0.4)
    assert compare_rates(before, more).answer == "no worse"


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (passing(9, 5), passing(9, 0), "9 cases were played by both"),
        (passing(50, 4, turns=4), passing(50, 0), "played 4 times"),
        (passing(50, 4), {}, "0 cases"),
    ],
)
def test_too_few_cases_or_turns_say_nothing(before: Passed, after: Passed, why: str) -> None:
    found = compare_rates(before, after)

    assert found.answer == "inconclusive"
    assert why in found.why


def test_what_may_be_chance_is_inconclusive() -> None:
    before = passing(20, 5)
    after: dict[str, Sequence[bool]] = {**before, "0": [False] * 5, "1": [False] * 5}

    found = compare_rates(before, after)

    assert (found.answer, found.low < -0.05 < found.difference + 0.06) == ("inconclusive", True)


def test_it_is_said_how_many_turns_would_tell() -> None:
    before = passing(30, 3)
    after = {**before, **passing(16, 5), **passing(10, 1)}

    found = compare_rates(before, after)

    assert (found.answer, turns_needed(before, after)) == ("inconclusive", 37)
    assert "37 turns of each case would mostly tell" in found.why


def test_where_cases_differ_and_turns_do_not_only_more_cases_tell() -> None:
    before = passing(20, 5)

    assert "more cases would tell" in compare_rates(before, {**before, "0": [False] * 5, "1": [False] * 5}).why


def test_turns_of_one_case_are_no_more_evidence_than_one() -> None:
    before = passing(12, 1, turns=1) | {"0": [False]}
    after = passing(12, 0, turns=1) | {str(case): [True] for case in range(1, 8)}
    many_before = {case: list(turns) * 50 for case, turns in before.items()}
    many_after = {case: list(turns) * 50 for case, turns in after.items()}

    assert compare_rates(many_before, many_after).low == pytest.approx(
        compare_rates({c: list(t) * 5 for c, t in before.items()}, {c: list(t) * 5 for c, t in after.items()}).low
    )


def test_identical_versions_raise_few_alarms_and_five_points_are_found() -> None:
    power = simulate("most cases settled", experiments=400)

    assert power.most_false_alarms <= MOST_ALARMS
    assert power.found >= LEAST_FOUND
    assert power.any_flip > 0.9


def test_no_test_finds_more_where_cases_are_uncertain_and_a_longer_baseline_finds_enough() -> None:
    power = simulate("every case uncertain", experiments=400)

    assert power.found == pytest.approx(power.found_at_best, abs=0.06)
    assert power.found_beside_long_baseline >= LEAST_FOUND > power.found_at_best
    assert (power.turns_needed, power.most_false_alarms <= MOST_ALARMS) == (7, True)


def test_experiments_repeat() -> None:
    first, second = (simulate("every case uncertain", experiments=5) for _ in range(2))

    assert first == second
    assert {0 <= SHAPES[shape](random.Random(1)) <= 1 for shape in SHAPES} == {True}


@pytest.mark.parametrize(
    ("passed", "played", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)]
)
def test_wilson_intervals_are_as_in_print(passed: int, played: int, low: float, high: float) -> None:
    found = wilson(passed, played)

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_passing_every_time_is_less_likely_than_passing_once() -> None:
    turns = {"a": [True] * 4, "b": [True, True, False, False], "c": [False] * 4}

    found = [pass_hat(turns, k) for k in (1, 2, 4, 5)]

    assert found == [pytest.approx(0.5), pytest.approx((1 + 1 / 6) / 3), pytest.approx(1 / 3), None]
    assert not any(math.isnan(rate) for rate in found if rate)
