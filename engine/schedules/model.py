"""A schedule as the engine's rooms hand it to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

from contracts.approval import JsonObject

OnRunCompleted = Literal["delete", "keep"]
SortBy = Literal[
    "cron_id", "assistant_id", "thread_id", "created_at", "updated_at", "next_run_date", "end_time"
]  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What somebody wants to happen, and when."""

    cron: str
    assistant_id: str
    payload: JsonObject
    """Input and options of each run."""
    timezone: str | None = None
    """IANA name; None: UTC."""
    thread_id: str | None = None
    """None: each run gets a thread of its own."""
    on_run_completed: OnRunCompleted | None = None
    """Whether the thread of its own stays."""
    enabled: bool = True
    end_at: datetime | None = None
    metadata: JsonObject = field(default_factory=dict)
    """Of the schedule and of its runs."""


@dataclass(frozen=True)
class Schedule:
    """A plan that is kept, with whose it is and when it comes next."""

    id: str
    tenant: str
    requester: str
    """Who said last what its runs do: they are this principal's."""
    plan: Plan
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_run_id: str | None
    last_error: JsonObject | None
    """Why no run came of the last time, as a problem's code and detail."""
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        texts = {n: str(row[n]) if row[n] else None for n in ("id", "assistant_id", "thread_id", "last_run_id")}
        known = dict(row) | texts
        plan = Plan(**{name: known[name] for name in Plan.__dataclass_fields__})
        return cls(plan=plan, **{name: known[name] for name in cls.__dataclass_fields__ if name != "plan"})


@dataclass(frozen=True)
class Wanted:
    """A search: what to find, in which order, and which part of it. None means any."""

    assistant_id: str | None = None
    thread_id: str | None = None
    enabled: bool | None = None
    metadata: JsonObject = field(default_factory=dict)
    sort_by: SortBy = "created_at"
    ascending: bool = False
    limit: int = 10
    offset: int = 0
