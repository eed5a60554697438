"""Many requests decided at once: all of one class, over exactly the batch that was shown with sums and outliers."""

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.errors import NotOneClass
from contracts.money import minor_units
from contracts.tool import AnyTool
from engine.approvals.model import ApprovalRequest

MOST = 100
_FEWEST_TO_COMPARE = 5
_FAR = 3.5
"""Modified z-score above which a value is an outlier (Iglewicz and Hoaglin, 1993)."""


@dataclass(frozen=True)
class Sum:
    """What is at stake in one currency, in minor units."""

    total: int
    smallest: int
    largest: int
    median: float


@dataclass(frozen=True)
class Batch:
    """Requests of one class as a reviewer is shown them."""

    requests: tuple[ApprovalRequest, ...]
    sums: dict[str, Sum]
    """By currency; empty for a tool that says of no field that it is a sum."""
    outliers: tuple[str, ...]
    """Ids of requests whose sum lies far from the others': look at these one by one."""

    @property
    def digest(self) -> str:
        """SHA-256 over the ids and action digests: what a decision about the batch covers."""
        lines = sorted(f"{request.id}:{request.action_digest}" for request in self.requests)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def batch_of(requests: Sequence[ApprovalRequest], tool: AnyTool) -> Batch:
    """The batch of these calls of `tool`. Raises `NotOneClass`."""
    first = requests[0]
    for request in requests:
        if _class(request) != _class(first):
            raise NotOneClass(
                f"Request {request.id} is not of the class of request {first.id}.",
                hint="A batch has one workflow, one tool and one rule that asked.",
                facts={"expected": _class(first), "found": _class(request)},
            )
    amounts: dict[str, dict[str, int]] = defaultdict(dict)
    for request in requests if tool.amount else ():
        currency = str(request.args.get(tool.currency, "")) if tool.currency else ""
        amounts[currency][request.id] = minor_units(request.args[tool.amount], currency)
    sums = {currency: _sum(list(of.values())) for currency, of in amounts.items()}
    return Batch(tuple(requests), sums, tuple(far for of in amounts.values() for far in _outliers(of)))


def _class(request: ApprovalRequest) -> tuple[str, ...]:
    return request.workflow, request.tool, request.tool_version, request.rule, request.role


def _sum(values: list[int]) -> Sum:
    return Sum(sum(values), min(values), max(values), statistics.median(values))


def _outliers(amounts: dict[str, int]) -> list[str]:
    if len(amounts) < _FEWEST_TO_COMPARE:
        return []
    middle = statistics.median(amounts.values())
    spread = statistics.median(abs(value - middle) for value in amounts.values())
    if spread == 0:  # most are equal: whatever differs stands out
        return [of for of, value in amounts.items() if value != middle]
    return [of for of, value in amounts.items() if 0.6745 * abs(value - middle) / spread > _FAR]
