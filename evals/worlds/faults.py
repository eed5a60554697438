"""What may go wrong with one operation of a world, and how often before it recovers."""

from dataclasses import dataclass
from typing import Literal

from evals.worlds.store import Rows

FaultKind = Literal["unavailable", "slow", "acts_then_fails", "refuses", "malformed"]


@dataclass(frozen=True)
class Fault:
    """`unavailable`: 503, nothing done. `refuses`: 422, nothing done. `acts_then_fails`: done, then 500.

    `slow`: done at once, answered `seconds` later, so that a caller who gave up has an effect to find out about.
    `malformed`: done, answered 200 with JSON that fits no contract.
    """

    operation: str
    """`system.operation`, as tools are named: `billing.issue_refund`."""
    kind: FaultKind
    times: int | None = None
    """How often before the operation recovers, counted over all processes; None: never."""
    seconds: float = 30.0


def next_fault(rows: Rows, faults: dict[str, Fault], operation: str) -> Fault | None:
    """The first fault of `operation` that is not used up, counted as used now."""
    for name, fault in faults.items():
        if fault.operation == operation and fault.times != 0 and rows.one("use_fault", name=name, times=fault.times):
            return fault
    return None
