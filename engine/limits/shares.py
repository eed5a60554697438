"""What one call takes of the caps in a workflow's budget: each scope and unit once, with the smallest limit on it."""

from collections.abc import Iterable, Iterator, Mapping

from contracts.policy import Budget, Cap
from engine.limits.model import Share

MONEY, COST = "money:", "cost:"


def shares_of(budget: Budget, workflow: str, tool: str, case_id: str, takes: Mapping[str, int]) -> tuple[Share, ...]:
    """`takes` is by unit. `tool` is empty for a call of a model."""
    whole, case = f"workflow:{workflow}", f"case:{case_id}"
    found = [*_of(whole, "day", budget.day, takes), *_of(whole, case, budget.case, takes)]
    if tool:
        one = f"{whole}/{tool}"
        found += _of(one, "day", budget.tools_day.get(tool, Cap()), takes)
        found += _of(one, case, budget.tools.get(tool, Cap()), takes)
    return merged(found)


def merged(shares: Iterable[Share]) -> tuple[Share, ...]:
    """Each place once: a statement cannot add to a row twice."""
    kept: dict[tuple[str, str, str], Share] = {}
    for share in shares:
        place = (share.scope, share.period, share.unit)
        if place not in kept or share.limit < kept[place].limit:
            kept[place] = share
    return tuple(kept.values())


def limits_of(cap: Cap) -> dict[str, int]:
    """The limits that a cap sets, by unit."""
    simple = {
        "tool_calls": cap.tool_calls,
        "model_calls": cap.model_calls,
        "tokens": cap.tokens,
        "ms": cap.seconds * 1000,
    }
    money = {f"{MONEY}{currency}": limit for currency, limit in cap.money.items()}
    cost = {f"{COST}{currency}": limit for currency, limit in cap.model_cost.items()}
    return {unit: limit for unit, limit in simple.items() if limit} | money | cost


def _of(scope: str, period: str, cap: Cap, takes: Mapping[str, int]) -> Iterator[Share]:
    limits = limits_of(cap)
    for unit, n in takes.items():
        named = unit.startswith(MONEY) and cap.money
        if unit in limits or named:  # money in a currency that nobody named has no limit that it could stay below
            yield Share(scope, period, unit, n, limits.get(unit, 0))
