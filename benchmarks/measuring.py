"""Runs something many times from a number of callers, and what of the times is told."""

import asyncio
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

Row = dict[str, Any]
"""One line of a table: what was measured by its name, with the unit in the name."""


@dataclass(frozen=True)
class Times:
    """How long each of many took, and all of them together."""

    each_ms: list[float]
    seconds: float

    @property
    def per_s(self) -> float:
        return len(self.each_ms) / self.seconds

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.each_ms)

    @property
    def p95_ms(self) -> float:
        return statistics.quantiles(self.each_ms, n=20)[-1]


@dataclass(frozen=True)
class Pace:
    """What is told of `Times`."""

    runs: int
    runs_per_s: float
    p50_ms: float
    p95_ms: float

    @classmethod
    def of(cls, times: Times) -> Self:
        return cls(len(times.each_ms), round(times.per_s, 1), round(times.p50_ms, 2), round(times.p95_ms, 2))

    def row(self) -> Row:
        return asdict(self)


async def timed(one: Callable[[], Awaitable[object]], *, runs: int, callers: int, at_most_s: float = math.inf) -> Times:
    """Call `one` so many times, `callers` at a time; each caller begins its next when its last has ended.

    After `at_most_s` none is begun any more, but for the first two.
    """
    left, took = iter(range(runs)), list[float]()

    async def caller() -> None:
        for nth in left:
            began_one = time.perf_counter()
            if nth >= 2 and began_one - began > at_most_s:
                break
            await one()
            took.append((time.perf_counter() - began_one) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Times(took, time.perf_counter() - began)


def median_of(repeats: Iterable[Pace]) -> Pace:
    """The middle repeat by pace; of two, the slower."""
    ordered = sorted(repeats, key=lambda pace: pace.runs_per_s)
    return ordered[(len(ordered) - 1) // 2]
