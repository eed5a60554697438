"""Whether two versions really differ, where the same case does not always end alike: paired, and clustered by case.

A case is played several times by each version. Two turns of a case are no two pieces of evidence, so that what counts
is one difference for each case.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, comb, sqrt
from typing import Literal

Answer = Literal["worse", "no worse", "inconclusive"]

LEAST_TURNS = 5
"""Fewer turns of a case say too little about it."""
LEAST_CASES = 10
FOUND = 0.75
"""How often a loss of the tolerance is to be found."""
LEAST_EFFECT = 0.01
"""A difference that matters, as a part of 1."""
CONFIDENCE = 0.95
"""One-sided: how sure a bound is."""


@dataclass(frozen=True)
class Interval:
    """Where a rate lies."""

    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """How a candidate does beside a baseline, in parts of 1."""

    answer: Answer
    why: str
    cases: int
    difference: float
    """Mean over the cases of what the candidate passes more often; below 0 it is worse."""
    low: float
    """It is not below this, as sure as `CONFIDENCE`."""
    high: float
    """It is not above this, as sure as `CONFIDENCE`."""


Passed = Mapping[str, Sequence[bool]]
"""For each case whether each of its turns passed."""


def compare_rates(baseline: Passed, candidate: Passed, *, tolerance: float = 0.05) -> Comparison:
    """Whether the candidate is worse, over the cases that both have played.

    `worse`: the upper bound of the difference is below 0, and the difference is more than a point. `no worse`: the
    lower bound is above minus `tolerance`. `inconclusive`: neither can be said, or there is too little to say so.
    """
    shared = sorted(baseline.keys() & candidate.keys())
    if too_few := _too_few(baseline, candidate, shared):
        return Comparison("inconclusive", too_few, len(shared), 0.0, -1.0, 1.0)
    differences = [statistics.fmean(candidate[case]) - statistics.fmean(baseline[case]) for case in shared]
    mean = statistics.fmean(differences)
    margin = _quantile(len(shared)) * statistics.stdev(differences) / sqrt(len(shared))
    low, high = mean - margin, mean + margin
    answer, why = _answer(mean, low, high, tolerance)
    if answer == "inconclusive":
        why = f"{why}; {_more(baseline, candidate, shared, tolerance)}"
    return Comparison(answer, why, len(shared), mean, low, high)


def turns_needed(baseline: Passed, candidate: Passed, *, tolerance: float = 0.05) -> int:
    """How many turns of each case find a loss of `tolerance` in three of four comparisons, over the shared cases.

    By how unsettled the cases are; a case of one turn says nothing about that and counts as settled.
    """
    shared = sorted(baseline.keys() & candidate.keys())
    spread = sum(_variance(side[case]) for case in shared for side in (baseline, candidate))
    normal = statistics.NormalDist()
    reach = normal.inv_cdf(CONFIDENCE) + normal.inv_cdf(FOUND)
    return max(LEAST_TURNS, ceil(spread * (reach / (tolerance * max(1, len(shared)))) ** 2))


def found_at_best(variance: float, loss: float) -> float:
    """How often a mean difference of this variance shows a loss at `CONFIDENCE`, to one who knows the variance.

    No test of the mean over the cases finds more.
    """
    normal = statistics.NormalDist()
    return normal.cdf(loss / sqrt(variance) - normal.inv_cdf(CONFIDENCE))


def wilson(passed: int, played: int) -> Interval:
    """Where a rate lies at 95 %, after Wilson (1927): it also holds for few turns and for rates of 0 and 1.

    Turns of one case hang together; over several turns it is narrower than it should be. `played` is above 0.
    """
    z = statistics.NormalDist().inv_cdf(0.975)
    rate, weight = passed / played, 1 + z * z / played
    middle = (rate + z * z / (2 * played)) / weight
    reach = z / weight * sqrt(rate * (1 - rate) / played + z * z / (4 * played * played))
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))


def pass_hat(turns: Passed, k: int) -> float | None:
    """Mean over the cases of how likely `k` turns in a row pass: C(c, k) / C(n, k), with c of n passed.

    None where no case was played `k` times.
    """
    likely = [comb(sum(passed), k) / comb(len(passed), k) for passed in turns.values() if len(passed) >= k]
    return statistics.fmean(likely) if likely else None


def _answer(mean: float, low: float, high: float, tolerance: float) -> tuple[Answer, str]:
    if high < 0 and mean < -LEAST_EFFECT:
        return "worse", f"it passes {-mean:.1%} less often, and at least {-high:.1%}"
    if low > -tolerance:
        return "no worse", f"if it passes less often at all, then by less than {tolerance:.0%}"
    return "inconclusive", f"it may pass {-low:.1%} less often, and may not"


def _more(baseline: Passed, candidate: Passed, shared: Sequence[str], tolerance: float) -> str:
    """What would tell: where cases differ by more than their turns do, only other cases."""
    needed = turns_needed(baseline, candidate, tolerance=tolerance)
    if needed > _fewest(baseline, candidate, shared):
        return f"{needed} turns of each case would mostly tell"
    return "more cases would tell, more turns would not"


def _fewest(baseline: Passed, candidate: Passed, shared: Sequence[str]) -> int:
    return min(min(len(baseline[case]), len(candidate[case])) for case in shared)


def _too_few(baseline: Passed, candidate: Passed, shared: Sequence[str]) -> str:
    if len(shared) < LEAST_CASES:
        return f"{len(shared)} cases were played by both, and {LEAST_CASES} are the least"
    fewest = _fewest(baseline, candidate, shared)
    return f"a case was played {fewest} times, and {LEAST_TURNS} are the least" if fewest < LEAST_TURNS else ""


def _variance(turns: Sequence[bool]) -> float:
    """Of one turn, without bias."""
    return statistics.variance(map(float, turns)) if len(turns) > 1 else 0.0


def _quantile(cases: int) -> float:
    """Student's t at `CONFIDENCE`, by its expansion about the normal one; right to 0.002 from 10 cases on."""
    z, freedom = statistics.NormalDist().inv_cdf(CONFIDENCE), cases - 1
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2
