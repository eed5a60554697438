"""How long a decision takes with 10, 100 and 1,000 policies about one tool, beside the engine's bare call.

`python -m benchmarks.policies [--json]`
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cedarpy import Entities, PolicySet, Schema, is_authorized

from contracts.approval import JsonObject
from contracts.policy import Budget, Policy, Queue, Rule, above, allow, equals, require_approval
from contracts.tool import Call, ToolModel, tool
from engine.policies.cedar import CedarPolicies
from engine.policies.deciding import decide

_SIZES, _RUNS = (10, 100, 1_000), 400


class Payment(ToolModel):
    """What the benchmark judges."""

    account: str
    amount_cents: int
    currency: str


@tool(effect="at_most_once", scopes=("policies:pay",), target="account")
async def pay(request: Payment, call: Call) -> Payment:
    """Pay nothing."""
    return request


@dataclass(frozen=True)
class Measured:
    """Microseconds of the processor: what else the machine does is not counted."""

    p50_us: float
    p95_us: float


def policy_of(size: int) -> Policy:
    """A policy with this many rules about one tool: one allows, the others ask about a currency each."""
    large = above("amount_cents", 100)
    asks: list[Rule] = [
        require_approval(f"over-{nth}", pay.name, equals("currency", f"C{nth}"), large, role="a", within_s=60, why=".")
        for nth in range(size - 1)
    ]
    rules = (allow("free", pay.name, why="."), *asks)
    return Policy("o", "p", (pay,), rules, Budget(1, 1, 1), Queue("q", 60), roles=("a",))


def measure(one: Callable[[], object], runs: int) -> Measured:
    """Each of `runs` calls by itself, after some that do not count."""
    took = []
    for nth in range(runs + 20):
        began = time.process_time()
        one()
        if nth >= 20:
            took.append((time.process_time() - began) * 1e6)
    return Measured(round(statistics.median(took), 1), round(statistics.quantiles(took, n=20)[-1], 1))


def floor(runs: int = _RUNS) -> Measured:
    """The engine by itself: one policy that allows, parsed before, with a schema."""
    schema = 'entity A; action "a" appliesTo { principal: [A], resource: [A], context: {} };'
    parsed, known = PolicySet.from_str("permit (principal, action, resource);"), Schema.from_str(schema)
    none = Entities.from_json_str("[]")
    one = {"type": "A", "id": "a"}
    request = {"principal": one, "action": {"type": "Action", "id": "a"}, "resource": one, "context": {}}
    return measure(lambda: is_authorized(request, parsed, none, known), runs)


def rows(runs: int = _RUNS) -> list[dict[str, Any]]:
    """One line for each number of policies and verdict, with how many times the floor it takes."""
    least, found = floor(runs), []
    for size in _SIZES:
        engine = CedarPolicies(policy_of(size), agent="benchmark")
        for verdict, cents in (("allow", 100), ("require_approval", 101)):
            facts: JsonObject = {"amount_cents": cents, "currency": "C1", "account": "a"}
            assert decide(engine, pay.name, "a", facts).type == verdict
            times = measure(partial(decide, engine, pay.name, "a", facts), max(30, runs * 10 // size))
            ratio = round(times.p50_us / least.p50_us, 1)
            found.append({"rules": size, "verdict": verdict, **vars(times), "times_floor": ratio})
    return [{"rules": 0, "verdict": "floor", **vars(least), "times_floor": 1.0}, *found]


def main() -> None:
    """Print the table, or JSON with `--json`."""
    told = rows()
    if "--json" in sys.argv:
        print(json.dumps(told, indent=2))
        return
    for row in told:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
