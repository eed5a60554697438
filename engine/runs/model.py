"""Threads and runs as the engine's rooms hand them to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import JsonValue

from engine.audit.audit import Subject

RunStatus = Literal["pending", "running", "error", "success", "timeout", "interrupted"]
ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
Outcome = Literal["completed", "rejected", "handed_off", "failed_safe", "cancelled", "expired"]
MultitaskStrategy = Literal["enqueue", "reject"]

ENDED: tuple[RunStatus, ...] = ("error", "success", "timeout", "interrupted")


@dataclass(frozen=True)
class NewRun:
    """What a caller asks for."""

    thread_id: str
    tenant: str
    workflow: str
    requester: str
    input: dict[str, JsonValue]
    version: str = ""
    """Digest that the run pins; intake fills it in."""
    stream_modes: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    multitask_strategy: MultitaskStrategy = "enqueue"


@dataclass(frozen=True)
class Run:
    """One execution on a thread. `epoch` is the fencing token of its present holder."""

    id: str
    thread_id: str
    case_id: str
    """The run that brought the input; runs that resume it belong to the same case."""
    tenant: str
    workflow: str
    version: str
    kind: Literal["input", "resume"]
    status: RunStatus
    outcome: Outcome | None
    input: dict[str, JsonValue] | None
    stream_modes: tuple[str, ...]
    requester: str
    actor: str
    metadata: dict[str, JsonValue]
    multitask_strategy: str
    error: dict[str, JsonValue] | None
    attempts: int
    epoch: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        for name in ("id", "thread_id", "case_id"):
            values[name] = str(row[name])
        return cls(**values | {"stream_modes": tuple(row["stream_modes"])})

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def subject(self, actor: str = "") -> Subject:
        """Whom audit records of this run name; by default the agent itself."""
        return Subject(self.thread_id, self.id, actor or self.actor)
