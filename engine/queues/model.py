"""A review queue, what is on its way to it, and whether that is all that it takes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from contracts.policy import Queue
from engine.approvals.hours import passed

Cause = Literal["capacity", "age", "pause"]
"""Why a queue takes no new work."""


@dataclass(frozen=True)
class ReviewQueue:
    """The terms that the workflows which review there agree on, with what an operator has set over them."""

    terms: Queue
    workflows: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.terms.name

    @property
    def limited(self) -> bool:
        return bool(self.terms.capacity or self.terms.oldest_s)

    def full_because(self, load: "Load", now: datetime) -> Cause | None:
        """Why it takes no new work; None while it has room."""
        if self.terms.capacity and load.depth >= self.terms.capacity:
            return "capacity"
        if self.terms.oldest_s and self.waited_s(load, now) > self.terms.oldest_s:
            return "age"
        return None

    def waited_s(self, load: "Load", now: datetime) -> float:
        """How much review time its oldest open request has waited."""
        return passed(load.oldest_at, now, self.terms.hours) if load.oldest_at else 0.0


@dataclass(frozen=True)
class Load:
    """What one tenant has in a queue."""

    depth: int = 0
    """Cases that wait there or are on their way: a case counts once."""
    open: int = 0
    """Requests."""
    overdue: int = 0
    oldest_at: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})
