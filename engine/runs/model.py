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
MultitaskStrategy = Literal["enqueue", "reject", "interrupt", "rollback"]
CancelAction = Literal["interrupt", "rollback"]
RunKind = Literal["input", "resume", "proceed"]
"""`input`: new input; `resume`: goes on with an answer; `proceed`: goes on with neither, where the thread stands."""

ENDED: tuple[RunStatus, ...] = ("error", "success", "timeout", "interrupted")


@dataclass(frozen=True)
class Cancellation:
    """Somebody's wish that a run end. `rollback`: as if it had never been, which a run that acted cannot be."""

    by: str
    action: CancelAction = "interrupt"


@dataclass(frozen=True)
class RunOptions:
    """How a run is executed, as far as the caller may say; kept as JSON beside the run."""

    config: dict[str, JsonValue] = field(default_factory=dict)
    """`configurable`, `tags` and `recursion_limit` of LangGraph's config; never a reserved key."""
    context: dict[str, JsonValue] = field(default_factory=dict)
    """What assistant and caller tell the stages. Reaches them as `Case.context`; it authorises nothing."""
    interrupt_before: tuple[str, ...] = ()
    interrupt_after: tuple[str, ...] = ()
    """Stages to stop at; `*` stands for all."""
    checkpoint_id: str | None = None
    """Start from this earlier checkpoint instead of the newest one; such a run does not act."""
    update: JsonValue = None
    goto: tuple[JsonValue, ...] = ()
    """`command.update` and `command.goto` of a thread without a gate: names of stages, or `{"node", "input"}`."""
    durability: Literal["sync", "async", "exit"] = "sync"
    scopes: tuple[str, ...] | None = None
    """Scopes of tools beyond which the run uses none, whatever its requester may; None: no limit of its own."""

    @property
    def edits(self) -> bool:
        """Whether the run does not simply go on from what its thread's own runs left."""
        return bool(self.checkpoint_id or self.update is not None or self.goto)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        values: dict[str, Any] = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        for name in ("interrupt_before", "interrupt_after", "goto"):
            values[name] = tuple(stored.get(name, ()))
        if stored.get("scopes") is not None:
            values["scopes"] = tuple(stored["scopes"])
        return cls(**values)

    def stored(self) -> dict[str, Any]:
        """Only what differs from the default."""
        defaults = vars(type(self)())
        return {name: value for name, value in vars(self).items() if value != defaults[name]}


@dataclass(frozen=True)
class NewThread:
    """A thread to make."""

    id: str
    tenant: str
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    workflow: str | None = None
    ephemeral: bool = False
    ttl_minutes: float | None = None
    on_expiry: Literal["delete", "keep_latest"] | None = None


@dataclass(frozen=True)
class NewRun:
    """What a caller asks for."""

    thread_id: str
    tenant: str
    workflow: str
    requester: str
    input: dict[str, JsonValue] | None
    """None: go on from where the thread stands."""
    assistant_id: str | None = None
    version: str = ""
    """Digest that the run pins; intake fills it in."""
    stream_modes: tuple[str, ...] = ()
    """What is streamed; `subgraphs` among them: that of subgraphs, too."""
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    multitask_strategy: MultitaskStrategy = "enqueue"
    options: RunOptions = RunOptions()
    webhook: str | None = None
    priority: int = 0
    """Higher goes first where runs wait for a worker."""
    after_s: float = 0
    """Seconds before which it does not start."""


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
    kind: RunKind
    status: RunStatus
    outcome: Outcome | None
    input: dict[str, JsonValue] | None
    stream_modes: tuple[str, ...]
    requester: str
    actor: str
    assistant_id: str | None
    metadata: dict[str, JsonValue]
    multitask_strategy: MultitaskStrategy
    options: RunOptions
    acts: bool
    """False: the thread's state was edited from outside, so the gateway refuses every write."""
    webhook: str | None
    priority: int
    start_at: datetime | None
    error: dict[str, JsonValue] | None
    stands_at: tuple[str, ...]
    """Stages that come next, as far as the run is parked."""
    earlier_versions: tuple[str, ...]
    """Versions from which the case was moved; what was approved under them stays approved."""
    refused_by: str | None
    """A version whose workers leave this run to others."""
    attempts: int
    epoch: int
    created_at: datetime
    updated_at: datetime
    first: bool = False
    """Known where it is claimed: there is nothing on its thread yet."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        values = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        for name in ("id", "thread_id", "case_id", "assistant_id"):
            values[name] = str(row[name]) if row[name] else None
        lists = {name: tuple(row[name]) for name in ("stream_modes", "stands_at", "earlier_versions")}
        return cls(**values | lists | {"options": RunOptions.of(row["options"])})

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def subject(self, actor: str = "") -> Subject:
        """Whom audit records of this run name; by default the agent itself."""
        return Subject(self.thread_id, self.id, actor or self.actor)
