"""Which requests might need no person: conditions under which people have always plainly approved. Pure.

Learnt from the older part of a history and tried on the newer one, which had no say in it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.policy import Condition, at_most, equals

_Z = 1.96
"""Two-sided 95 %."""
_OLDER = 0.7
_TRIED = 10
"""Fewer newer cases than this say nothing."""
_KINDS_OF = 20
"""A fact with more values than this names things and does not sort them."""
_BEST = 3


@dataclass(frozen=True)
class Judgement:
    """What a person said of one request."""

    request_id: str
    facts: JsonObject
    """What policy looked at, arguments included."""
    type: str
    by: str
    at: datetime
    reason_code: str = ""
    reason: str = ""
    looked_s: float | None = None
    """From claim to vote, where that is known."""

    @property
    def plain(self) -> bool:
        """Approved as it was proposed."""
        return self.type == "approve"


@dataclass(frozen=True)
class Demands:
    """What has to be shown before anything is suggested."""

    share: float = 0.9
    """Of plain approvals: the lower end of its 95 % interval (Wilson) in the older part, the share in the newer."""
    at_least_s: float = 0.0
    """Decisions after a shorter look are left out, and those of which nobody knows; 0: none is."""

    @property
    def history(self) -> int:
        """How many decisions it takes at least, if every single one is a plain approval."""
        return math.ceil(math.ceil(_Z**2 * self.share / (1 - self.share)) / _OLDER)


@dataclass(frozen=True)
class Sums:
    """The facts whose numbers are sums of money, as the tool declares them."""

    currency: str = ""
    amount: str = ""


@dataclass(frozen=True)
class Held:
    """How conditions held in a part of the history."""

    covered: int
    plain: int

    @property
    def share(self) -> float:
        return self.plain / self.covered if self.covered else 0.0

    @property
    def lower(self) -> float:
        return wilson_lower(self.plain, self.covered)


@dataclass(frozen=True)
class Candidate:
    """Conditions under which no person might be needed, and what speaks for and against it."""

    when: tuple[Condition, ...]
    older: Held
    newer: Held
    covered: tuple[Judgement, ...]

    @property
    def against(self) -> list[Judgement]:
        """Covered requests about which somebody said anything else than a plain yes."""
        return [judgement for judgement in self.covered if not judgement.plain]


def considered(history: Sequence[Judgement], demands: Demands) -> list[Judgement]:
    """Those that count, the oldest first."""
    counted = [one for one in history if demands.at_least_s <= 0 or (one.looked_s or 0.0) >= demands.at_least_s]
    return sorted(counted, key=lambda judgement: judgement.at)


def candidates(history: Sequence[Judgement], demands: Demands, sums: Sums = Sums()) -> list[Candidate]:
    """The conditions that cover most, of those that meet the demands; `history` as `considered` gives it.

    A sum is only compared within one currency. Of conditions that cover the same requests one is told.
    """
    cut = math.floor(len(history) * _OLDER)
    older, newer = history[:cut], history[cut:]
    found: dict[frozenset[str], Candidate] = {}
    for when in _learnt(older, demands, sums):
        covered = (_under(when, older), _under(when, newer))
        candidate = Candidate(when, _held(covered[0]), _held(covered[1]), (*covered[0], *covered[1]))
        if _meets(candidate, demands):
            found.setdefault(frozenset(one.request_id for one in candidate.covered), candidate)
    ranked = sorted(found.items(), key=lambda item: (-len(item[0]), len(item[1].when)))
    best: list[tuple[frozenset[str], Candidate]] = []
    for ids, candidate in ranked:
        if not any(ids < larger for larger, _ in best):
            best.append((ids, candidate))
    return [candidate for _, candidate in best[:_BEST]]


def holds(when: Sequence[Condition], facts: JsonObject) -> bool:
    """Whether conditions of the kinds that are suggested hold."""
    return all(_holds(condition, facts) for condition in when)


def wilson_lower(plain: int, of: int) -> float:
    """The lower end of the 95 % interval of a share (Wilson, 1927); 0 where there is nothing."""
    if not of:
        return 0.0
    share, z2 = plain / of, _Z**2
    middle = share + z2 / (2 * of)
    spread = _Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return (middle - spread) / (1 + z2 / of)


def _learnt(older: Sequence[Judgement], demands: Demands, sums: Sums) -> Iterator[tuple[Condition, ...]]:
    """Conditions that hold in the older part; of those that cover the same, the one that bounds the sum comes first."""
    sorts = [(equals(fact, value),) for fact, value in _values(older)]
    numbers = {name for one in older for name, value in one.facts.items() if _number(value) is not None}
    for wanted in (numbers & {sums.amount}, numbers - {sums.amount}):
        for base in ((), *sorts):
            inside = _under(base, older)
            in_one_currency = not sums.currency or any(condition.fact == sums.currency for condition in base)
            for fact in sorted(wanted) if in_one_currency else ():
                limit = _limit(inside, fact, demands)
                if limit is not None:
                    yield (*base, at_most(fact, limit))
        yield from sorts


def _limit(inside: Sequence[Judgement], fact: str, demands: Demands) -> int | None:
    """The largest value up to which the demands are met."""
    known = sorted((value, one.plain) for one in inside if (value := _number(one.facts.get(fact))) is not None)
    plain, best = 0, None
    for nth, (value, approved) in enumerate(known, 1):
        plain += approved
        ends = nth == len(known) or known[nth][0] > value  # all that share a value stand on one side
        if ends and approved and wilson_lower(plain, nth) >= demands.share:
            best = value
    return best


def _meets(candidate: Candidate, demands: Demands) -> bool:
    newer = candidate.newer
    return candidate.older.lower >= demands.share and newer.covered >= _TRIED and newer.share >= demands.share


def _values(history: Sequence[Judgement]) -> Iterator[tuple[str, JsonValue]]:
    for fact in sorted({name for one in history for name in one.facts}):
        values = {one.facts[fact] for one in history if isinstance(one.facts.get(fact), (str, bool))}
        if len(values) <= _KINDS_OF:
            yield from ((fact, value) for value in sorted(values, key=str))


def _number(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _holds(condition: Condition, facts: JsonObject) -> bool:
    if condition.operator == "equals":
        return condition.fact in facts and facts[condition.fact] == condition.value
    value, limit = _number(facts.get(condition.fact)), _number(condition.value)
    return value is not None and limit is not None and value <= limit


def _under(when: Sequence[Condition], history: Sequence[Judgement]) -> list[Judgement]:
    return [judgement for judgement in history if holds(when, judgement.facts)]


def _held(covered: Sequence[Judgement]) -> Held:
    return Held(len(covered), sum(judgement.plain for judgement in covered))
