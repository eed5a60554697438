"""Holds two runs of cases against each other: exactly where replies are recorded, else by statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from contracts.approval import JsonObject
from evals.decided import ChangedDecisions, changed_decisions
from evals.results import COMPARED, RanCases, Turn
from evals.significance import Comparison, Passed, compare_rates

Change = Literal["broken", "mended", "differs", "new", "gone"]


@dataclass(frozen=True)
class Divergence:
    """How one case went otherwise."""

    case: str
    change: Change
    """`broken`: it passed before and does not now. `differs`: it passes or fails as before, and not in the same way."""
    before: Turn | None
    after: Turn | None
    where: str
    """The first stage that is another one, or what else differs where all stages are the same."""


@dataclass(frozen=True)
class Compared:
    """Two runs side by side."""

    divergences: tuple[Divergence, ...]
    shared: int
    """Cases that are in both."""
    rates: Comparison | None
    """Where a model was asked: whether the second run is worse."""
    decisions: ChangedDecisions
    """What the second run would have changed of what people decided in the first."""
    stale: tuple[str, ...]
    """Cases of the second run that found no reply, so that they say nothing."""

    def as_json(self) -> JsonObject:
        rates: JsonObject = dict(vars(self.rates)) if self.rates else {}
        differ: list[JsonObject] = [
            {
                "case": one.case,
                "change": one.change,
                "where": one.where,
                "before": [*_path(one.before)],
                "after": [*_path(one.after)],
            }
            for one in self.divergences
        ]
        said: JsonObject = {"shared": self.shared, "stale": [*self.stale], "decisions": self.decisions.as_json()}
        return said | {"rates": rates, "divergences": [*differ]}


def compare_runs(before: RanCases, after: RanCases) -> Compared:
    """What is another in `after`, by case. With recorded replies any difference is real; otherwise see `rates`."""
    old, new = before.by_case, after.by_case
    stale = {name for name, turns in new.items() if any(turn.status == "stale" for turn in turns)}
    live = "live" in (before.mode, after.mode)
    found = [_diverge(name, old.get(name, ()), new.get(name, ())) for name in sorted((old.keys() | new.keys()) - stale)]
    return Compared(
        divergences=tuple(one for one in found if one),
        shared=len(old.keys() & new.keys()),
        rates=compare_rates(_passed(before), _passed(after)) if live else None,
        decisions=changed_decisions(before, after),
        stale=tuple(sorted(stale)),
    )


def first_divergence(before: Turn, after: Turn) -> str:
    """The first stage that differs, or what else does; empty where nothing that is compared differs."""
    for number, (one, other) in enumerate(zip_longest(before.path, after.path), start=1):
        if one != other:
            return f"stage {number}: {other or 'the end'} instead of {one or 'the end'}"
    differing = [name for name in COMPARED if before.behaviour[name] != after.behaviour[name]]
    return f"the same stages, other {', '.join(differing)}" if differing else ""


def _diverge(name: str, before: Sequence[Turn], after: Sequence[Turn]) -> Divergence | None:
    """The first turn in which a case went otherwise than in the first one before."""
    if not before or not after:
        only = (before or after)[0]
        return Divergence(name, "gone" if before else "new", only if before else None, only if after else None, "")
    for one in after:
        where = first_divergence(before[0], one)
        if one.status != before[0].status:
            return Divergence(name, "broken" if before[0].status == "passed" else "mended", before[0], one, where)
        if where:
            return Divergence(name, "differs", before[0], one, where)
    return None


def _passed(ran: RanCases) -> Passed:
    return {name: [turn.status == "passed" for turn in turns] for name, turns in ran.by_case.items()}


def _path(turn: Turn | None) -> list[str]:
    return list(turn.path) if turn else []
