"""How often the gate of live evals raises a false alarm, and how often it finds a true loss: simulated experiments.

    python -m benchmarks.eval_power

What is asked of the gate is asked of it for a set of cases most of which are settled: they pass nearly always or nearly
never. How much it finds depends on how unsettled cases are, so that two harder shapes stand beside it. Nothing is asked
of a model.
"""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from evals.significance import Passed, compare_rates

EXPERIMENTS = 2000
BLOCK = 200
CASES = 100
TURNS = 5
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


def simulate(shape: str, *, experiments: int = EXPERIMENTS, seed: int = _SEED) -> Power:
    """Experiments of identical versions, and as many in which the candidate passes five points less; repeatable."""
    chance = random.Random(seed)  # nothing secret
    alike, lower = [], []
    any_flip = 0
    for _ in range(experiments):
        likely = [SHAPES[shape](chance) for _ in range(CASES)]
        before, again, worse = _played(likely, chance), _played(likely, chance), _played(_lowered(likely), chance)
        any_flip += any(sum(again[case]) < sum(before[case]) for case in before)
        alike.append(compare_rates(before, again).answer)
        lower.append(compare_rates(before, worse).answer)
    return Power(
        shape,
        false_alarms=alike.count("worse") / experiments,
        most_false_alarms=max(
            alike[at : at + BLOCK].count("worse") / len(alike[at : at + BLOCK]) for at in range(0, experiments, BLOCK)
        ),
        any_flip=any_flip / experiments,
        found=lower.count("worse") / experiments,
        missed_as_no_worse=lower.count("no worse") / experiments,
    )


def _lowered(likely: list[float]) -> list[float]:
    """Five points less over all cases: each loses the same part of what it passes."""
    part = 1 - LOSS * len(likely) / sum(likely)
    return [one * part for one in likely]


def _played(likely: list[float], chance: random.Random) -> Passed:
    return {str(case): [chance.random() < one for _ in range(TURNS)] for case, one in enumerate(likely)}


def main() -> None:
    """Print a line for each shape; exit code 1 where the first one is not held."""
    powers = [simulate(shape) for shape in SHAPES]
    print(json.dumps([asdict(power) for power in powers], indent=1))
    held = powers[0].most_false_alarms <= MOST_ALARMS and powers[0].found >= LEAST_FOUND
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
