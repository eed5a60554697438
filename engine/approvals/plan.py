"""What is to happen to a request as time passes, and when: planned as it is asked. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from contracts.policy import Queue
from engine.approvals.hours import later

StepKind = Literal["warned", "breached", "escalated", "expired"]
_ORDER: tuple[StepKind, ...] = ("warned", "breached", "escalated", "expired")


@dataclass(frozen=True, order=True)
class Step:
    """One thing that is to happen to a request."""

    at: datetime
    order: int
    level: int = 0
    """Of an escalation, how far up."""

    @property
    def kind(self) -> StepKind:
        return _ORDER[self.order]


def times_of(queue: Queue, within_s: float, start: datetime) -> dict[str, Any]:
    """How long after `start` a request of this queue is warned about, due, breached, escalated and over.

    As columns of the request, relative: what they are added to is the database's clock.
    """

    def after(seconds: float) -> timedelta:
        return later(start, seconds, queue.hours) - start

    target = queue.target_s
    times = {
        "warn": after(queue.warn_s or target * 3 / 4),
        "due": after(target),
        "breach": after(queue.breach_s or target),
        "within": after(within_s),
    }
    levels = [after(level.after_s) for level in queue.escalation]
    named = Jsonb([{"to": level.to, "role": level.role} for level in queue.escalation])
    return times | {"level_after": levels, "levels": named, "first": min(*times.values(), *levels)}


def steps_of(row: Mapping[str, Any]) -> list[Step]:
    """What is still to happen to an open request, in its order.

    A request of an earlier release has none of these times, and just expires.
    """
    planned: list[tuple[datetime | None, StepKind, int]] = [
        (None if row["warned_at"] else row["warn_at"], "warned", 0),
        (None if row["breached_at"] else row["breach_at"], "breached", 0),
        (row["expires_at"], "expired", 0),
    ]
    planned += [(at, "escalated", n) for n, at in enumerate(row["level_at"], 1) if n > row["level"]]
    over = row["expires_at"]
    steps = [Step(at, _ORDER.index(kind), level) for at, kind, level in planned if at is not None and at <= over]
    return sorted(steps)
