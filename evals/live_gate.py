"""What a live run is worth: turns differ by chance, so that only a difference that chance does not make counts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from contracts.errors import ConfigurationError
from evals.gate import FAILED, INCONCLUSIVE, PASSED, STALE
from evals.results import RanCases
from evals.run import Result
from evals.significance import Comparison, compare_rates


def judge_live(results: Sequence[Result], against: RanCases | None) -> Comparison:
    """Whether the cases pass less often than in another run; by default than when they were accepted, which is always.

    A case of which a turn found no recording says nothing.
    """
    now = passed_of(results)
    if against is None:
        return compare_rates({name: [True] * len(passed) for name, passed in now.items()}, now)
    before = {name: [turn.status == "passed" for turn in turns] for name, turns in against.by_case.items()}
    return compare_rates(before, now)


def passed_of(results: Sequence[Result]) -> Mapping[str, Sequence[bool]]:
    """For each case that could be judged, whether each turn passed."""
    turns: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        turns[f"{result.workflow}/{result.case}"].append(result)
    judged = {name: each for name, each in turns.items() if not any(one.status == "stale" for one in each)}
    return {name: [one.status == "passed" for one in each] for name, each in judged.items()}


def exit_code_of_live(results: Sequence[Result], rates: Comparison) -> int:
    """What no case may do fails the run, however rarely it happened; the rest is a matter of rates."""
    if any(result.observation.breaches for result in results):
        return FAILED
    stale = any(result.status == "stale" for result in results)
    return {"worse": FAILED, "no worse": STALE if stale else PASSED, "inconclusive": INCONCLUSIVE}[rates.answer]


def require_live(live: Sequence[str], *, accepting: bool, record: bool, against: Path | None) -> None:
    """Raises `ConfigurationError` for options that do not go together."""
    if not live and (record or against):
        named = "--record" if record else "--against"
        raise ConfigurationError(f"{named} is about live models, and none is asked.", hint="Name one: --live ALIAS.")
    if live and accepting:
        raise ConfigurationError(
            "A baseline is what recorded replies lead to, and live ones are another time other ones.",
            hint="Record them first with --live ALIAS --record, and accept the next run.",
        )
