"""Anti-patterns that the recorded cases of a workflow show, and every pattern there is."""

from collections.abc import Iterator

from engine.catalog.parts import OF_OWNERS, OF_PARTS
from engine.catalog.patterns import Pattern, Patterns, Seen, Sighting, sight
from engine.catalog.patterns_of_code import OF_CODE
from engine.catalog.patterns_of_graphs import OF_GRAPHS
from engine.catalog.patterns_of_policy import OF_POLICY

OF_EVALS = Patterns()

_HARD = {"effects", "gates", "forbidden", "problem"}
_HAPPY = ("automatic", "gated_approved")


@OF_EVALS.add("no-evals", do="Record cases: evals/cases/<workflow>/<name>.")
def _no_evals(seen: Seen) -> Iterator[str]:
    """Nobody knows what a change of a prompt breaks."""
    if not seen.cases:
        yield "it has no recorded case"


@OF_EVALS.add("style-only-metrics", do="Expect effects, gates and what must not happen.")
def _style_only(seen: Seen) -> Iterator[str]:
    """A reply that reads well may have paid the wrong account."""
    if seen.cases and seen.workflow.writes and not any(case.checks & _HARD for case in seen.cases):
        yield f"none of its {len(seen.cases)} cases looks at what was done, asked or refused"


@OF_EVALS.add("happy-path-only", do="Add cases with a failing tool, a wrong model, a rejection and difficult input.")
def _happy_only(seen: Seen) -> Iterator[str]:
    """What goes wrong is what a workflow is governed for."""
    if seen.cases and all(case.kind in _HAPPY and case.outcome == "completed" for case in seen.cases):
        yield f"in all of its {len(seen.cases)} cases nothing goes wrong and nobody objects"


EVERY: tuple[Pattern, ...] = (*OF_POLICY, *OF_GRAPHS, *OF_CODE, *OF_EVALS)


def shortcomings(seen: Seen) -> list[Sighting]:
    """Parts that it does not declare, duties that nobody has, and every anti-pattern; errors first."""
    return sight(seen, (*OF_PARTS, *OF_OWNERS, *EVERY))


def anti_patterns(seen: Seen) -> list[Sighting]:
    """Every anti-pattern of the workflow, errors first."""
    return sight(seen, EVERY)
