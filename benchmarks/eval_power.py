"""How often the gate of live evals raises a false alarm, and how often it finds a true loss: simulated experiments.

    python -m benchmarks.eval_power

What is asked of the gate is asked of it for a set of cases most of which are settled: they pass nearly always or nearly
never. How much it finds depends on how unsettled cases are, so that two harder shapes stand beside it, each with what
the best test of the mean could find, how many turns would do, and what is found beside a baseline that was played more
often. Nothing is asked of a model.
"""

import json
import random
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from evals.significance import Passed, compare_rates, found_at_best

EXPERIMENTS = 2000
BLOCK = 200
CASES = 100
TURNS = 5
LONG_TURNS = 20
"""Of a baseline that is played once and held against many candidates."""
LOSS = 0.05
MOST_ALARMS = 0.10
"""In any block of so many experiments."""
LEAST_FOUND = 0.75
_SEED = 20_260_101

Shape = Callable[[random.Random], float]
"""How likely one case passes."""
SHAPES: dict[str, Shape] = {
    "most cases settled": lambda chance: chance.betavariate(0.8, 0.2),
    "every case uncertain": lambda chance: chance.betavariate(8, 2),
    "as four recorded runs of each of 40 airline tasks": lambda chance: chance.betavariate(0.75, 1.0),
}
"""The first two pass 80 % of their turns, the third 43 %, as the model did that was recorded."""


@dataclass(frozen=True)
class Power:
    """What became of the experiments of one shape."""

    shape: str
    false_alarms: float
    most_false_alarms: float
    """In the worst block of experiments."""
    any_flip: float
    """How often a gate would alarm that wants no case to do worse than before."""
    found: float
    missed_as_no_worse: float
    """How often a true loss was said to be none within five points."""
    found_at_best: float
    """What no test of the mean over the cases exceeds at this confidence."""
    turns_needed: int
    """Turns of each side with which the best test finds it in three of four experiments."""
    found_beside_long_baseline: float
    false_alarms_beside_long_baseline: float


def simulate(shape: str, *, experiments: int = EXPERIMENTS, seed: int = _SEED) -> Power:
    """Experiments of identical versions, and as many in which the candidate passes five points less; repeatable."""
    chance = random.Random(seed)  # nothing secret
    alike, lower, long_alike, long_lower, spread = [], [], [], [], []
    any_flip = 0
    for _ in range(experiments):
        likely = [SHAPES[shape](chance) for _ in range(CASES)]
        before, again, worse = _played(likely, chance), _played(likely, chance), _played(_lowered(likely), chance)
        long = _played(likely, chance, LONG_TURNS)
        any_flip += any(sum(again[case]) < sum(before[case]) for case in before)
        alike.append(compare_rates(before, again).answer)
        lower.append(compare_rates(before, worse).answer)
        long_alike.append(compare_rates(long, again).answer)
        long_lower.append(compare_rates(long, worse).answer)
        spread.append(sum(p * (1 - p) for p in (*likely, *_lowered(likely))) / CASES**2)
    turns = range(TURNS, 100)
    return Power(
        shape,
        false_alarms=alike.count("worse") / experiments,
        most_false_alarms=max(
            alike[at : at + BLOCK].count("worse") / len(alike[at : at + BLOCK]) for at in range(0, experiments, BLOCK)
        ),
        any_flip=any_flip / experiments,
        found=lower.count("worse") / experiments,
        missed_as_no_worse=lower.count("no worse") / experiments,
        found_at_best=_at_best(spread, TURNS),
        turns_needed=next(k for k in turns if _at_best(spread, k) >= LEAST_FOUND),
        found_beside_long_baseline=long_lower.count("worse") / experiments,
        false_alarms_beside_long_baseline=long_alike.count("worse") / experiments,
    )


def _at_best(spread: list[float], turns: int) -> float:
    """Over experiments in which the mean difference of one turn has these variances."""
    return statistics.fmean(found_at_best(one / turns, LOSS) for one in spread)


def _lowered(likely: list[float]) -> list[float]:
    """Five points less over all cases: each loses the same part of what it passes."""
    part = 1 - LOSS * len(likely) / sum(likely)
    return [one * part for one in likely]


def _played(likely: list[float], chance: random.Random, turns: int = TURNS) -> Passed:
    return {str(case): [chance.random() < one for _ in range(turns)] for case, one in enumerate(likely)}


def main() -> None:
    """Print a line for each shape; exit code 1 where the first one is not held, or another beside a long baseline."""
    powers = [simulate(shape) for shape in SHAPES]
    print(json.dumps([asdict(power) for power in powers], indent=1))
    held = powers[0].found >= LEAST_FOUND and all(
        power.most_false_alarms <= MOST_ALARMS and power.found_beside_long_baseline >= LEAST_FOUND for power in powers
    )
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
