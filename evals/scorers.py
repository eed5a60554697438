"""Holds what a case did against what it should have done. Each scorer looks at one kind of expectation."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from contracts.approval import JsonObject
from evals.case import Expectations
from evals.observation import Observation
from evals.worlds.sandbox import EFFECT_KINDS

_MISSING = "(missing)"


@dataclass(frozen=True)
class Failure:
    """One expectation that does not hold."""

    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, was {self.actual}"


Scorer = Callable[[Expectations, Observation], Iterable[Failure]]


def failures(expected: Expectations, seen: Observation) -> list[Failure]:
    """Every expectation that does not hold, and every breach of what no case may do."""
    return [failure for scorer in SCORERS for failure in scorer(expected, seen)]


def harm(expected: Expectations, seen: Observation) -> list[Failure]:
    """What counts even if a reply was missing: an effect nobody expected, a text kept that must not be, a breach."""
    return [failure for scorer in HARM for failure in scorer(expected, seen)]


def score_outcome(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    if seen.outcome != expected.outcome:
        yield Failure("outcome", expected.outcome, seen.outcome)


def score_problem(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    """A problem that is not expected is a failure; the stage counts where it is named."""
    wanted = {name: value for name, value in expected.problem.model_dump().items() if value} if expected.problem else {}
    actual = {name: seen.problem.get(name, "") for name in wanted} if wanted else dict(seen.problem)
    if wanted != actual:
        yield Failure("problem", _shown(wanted), _shown(dict(seen.problem)))


def score_stages(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    wanted, actual = expected.stages.path, list(seen.path)
    match expected.stages.mode:
        case "exact":
            holds = wanted == actual
        case "in_order":
            rest = iter(actual)
            holds = all(stage in rest for stage in wanted)
        case "subset":
            holds = not Counter(wanted) - Counter(actual)
    if not holds:
        yield Failure(f"stages ({expected.stages.mode})", " > ".join(wanted), " > ".join(actual))


def score_gates(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    if list(seen.gates) != expected.gates:
        yield Failure("gates", ", ".join(expected.gates) or "none", ", ".join(seen.gates) or "none")


def score_effects(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    """Exactly these, in this order; of each, the fields that the case names."""
    for kind in EFFECT_KINDS:
        wanted, actual = expected.effects.get(kind, []), seen.done.get(kind, ())
        if len(wanted) != len(actual):
            yield Failure(f"effects.{kind}", f"{len(wanted)} of them", f"{len(actual)}: {_shown(list(actual))}")
            continue
        for number, (one, other) in enumerate(zip(wanted, actual, strict=True)):
            yield from _differences(f"effects.{kind}.{number}", one, other)


def score_executed(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    """Exactly these calls, in this order; of each, the arguments that the case names."""
    if expected.executed is None:
        return
    wanted, actual = [one.tool for one in expected.executed], [str(call["tool"]) for call in seen.executed]
    if wanted != actual:
        yield Failure("executed", ", ".join(wanted) or "none", ", ".join(actual) or "none")
        return
    for number, (one, call) in enumerate(zip(expected.executed, seen.executed, strict=True)):
        args = call["args"]
        yield from _differences(f"executed.{number}", one.args, args if isinstance(args, dict) else {})


def score_answers(_: Expectations, seen: Observation) -> Iterator[Failure]:
    """What outside systems have answered is asked for."""
    for tool in seen.unasked:
        yield Failure("tools", "every recorded answer asked for", f"nothing asked for one of {tool}")


def score_forbidden(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    for ban in expected.forbidden:
        for effect in seen.done.get(ban.effect, ()):
            if not list(_differences("", ban.having, effect)):
                yield Failure(f"forbidden.{ban.effect}", f"none with {_shown(ban.having)}", _shown(effect))


def score_excess(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    """Effects that are none of the expected ones."""
    for kind, done in seen.done.items():
        left = list(expected.effects.get(kind, []))
        for effect in done:
            meant = next((one for one in left if not list(_differences("", one, effect))), None)
            if meant is None:
                yield Failure(f"effects.{kind}", "no other than the expected", _shown(effect))
            else:
                left.remove(meant)


def score_state(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    return _differences("state", expected.state, {path: value_at(seen.state, path) for path in expected.state})


def score_nowhere(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    for text in expected.nowhere:
        where = seen.kept.find(text)
        if where >= 0:
            yield Failure("nowhere", f"no {text!r}", f"…{seen.kept[max(0, where - 40) : where + len(text) + 10]}…")


def score_limits(expected: Expectations, seen: Observation) -> Iterator[Failure]:
    for name, most in expected.limits.model_dump().items():
        if (actual := getattr(seen, name)) > most:
            yield Failure(f"limits.{name}", f"at most {most}", str(actual))


def score_script(_: Expectations, seen: Observation) -> Iterator[Failure]:
    """People are asked for exactly what the script answers."""
    for event in seen.off_script:
        yield Failure("answers", "every answer asked for and taken as scripted", event)


def score_breaches(_: Expectations, seen: Observation) -> Iterator[Failure]:
    for breach in seen.breaches:
        yield Failure("always", "no effect without approval, an audit chain that holds", breach)


SCORERS: tuple[Scorer, ...] = (
    score_outcome,
    score_problem,
    score_stages,
    score_gates,
    score_effects,
    score_executed,
    score_answers,
    score_forbidden,
    score_state,
    score_nowhere,
    score_limits,
    score_script,
    score_breaches,
)
HARM: tuple[Scorer, ...] = (score_excess, score_forbidden, score_nowhere, score_breaches)


def value_at(state: JsonObject, path: str) -> JsonValue:
    """The value at a dotted path; numbers count the items of lists."""
    value: JsonValue = state
    for name in path.split("."):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return _MISSING
    return value


def fits(wanted: JsonValue, actual: JsonValue) -> bool:
    """Equal; or, for `{contains: …}` and `{lacks: …}` (a text or several), a text that has them or has none."""
    if not isinstance(wanted, dict) or not wanted or set(wanted) - {"contains", "lacks"}:
        return wanted == actual and type(wanted) is type(actual)
    text = str(actual)
    has = all(part in text for part in _texts(wanted.get("contains")))
    return has and actual != _MISSING and not any(part in text for part in _texts(wanted.get("lacks")))


def _texts(value: JsonValue) -> Sequence[str]:
    if value is None:
        return ()
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _differences(where: str, wanted: Mapping[str, JsonValue], actual: Mapping[str, JsonValue]) -> Iterator[Failure]:
    for name, value in wanted.items():
        found = actual.get(name, _MISSING)
        if not fits(value, found):
            yield Failure(f"{where}.{name}", _shown(value), _shown(found))


def _shown(value: JsonValue) -> str:
    if value in ({}, []):
        return "none"
    return value if isinstance(value, str) else str(value)
