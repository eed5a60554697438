"""What callers send about threads and their state: the requests of `langgraph_sdk`. Runs are in `run_bodies`."""

import math
import re
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from api.pages import Limit, Offset

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


class Body(BaseModel):
    """What every body has: no unknown members, and nothing that Postgres cannot keep."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_kept(cls, value: Any) -> Any:
        if problem := _unkeepable(value):
            raise ValueError(problem)
        return value


class TtlBody(Body):
    """When a thread ends: `ttl` in minutes, and what is left of it then."""

    ttl: float = Field(gt=0, le=5_256_000)
    strategy: Literal["delete", "keep_latest"] = "delete"


class UpdateBody(Body):
    """One update of a super-step, as if the stage `as_node` had written it."""

    values: JsonValue = None
    command: JsonValue = None
    as_node: str


class SuperstepBody(Body):
    """Updates that happen at the same time."""

    updates: list[UpdateBody] = Field(max_length=100)


class ThreadBody(Body):
    """`threads.create`."""

    thread_id: UUID = Field(default_factory=uuid4)
    metadata: dict[str, JsonValue] = {}
    if_exists: Literal["raise", "do_nothing"] = "raise"
    supersteps: list[SuperstepBody] = Field([], max_length=1000)
    ttl: TtlBody | None = None


class ThreadPatchBody(Body):
    """`threads.update`."""

    metadata: dict[str, JsonValue] = {}
    ttl: TtlBody | None = None


ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
ThreadField = Literal[
    "thread_id",
    "created_at",
    "updated_at",
    "state_updated_at",
    "metadata",
    "config",
    "context",
    "status",
    "values",
    "interrupts",
]


class ThreadFilterBody(Body):
    """`threads.count`."""

    metadata: dict[str, JsonValue] | None = None
    values: dict[str, JsonValue] | None = None
    status: ThreadStatus | None = None
    ids: list[UUID] = Field([], max_length=1000)


class ThreadSearchBody(ThreadFilterBody):
    """`threads.search`."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    select: list[ThreadField] | None = None
    extract: dict[str, str] | None = Field(None, max_length=10)


class PruneBody(Body):
    """`threads.prune`."""

    thread_ids: list[UUID] = Field(max_length=1000)
    strategy: Literal["delete", "keep_latest"] = "delete"


class CheckpointBody(Body):
    """Names a checkpoint of a thread."""

    thread_id: UUID | None = None
    checkpoint_ns: str | None = ""
    checkpoint_id: UUID | None = None
    checkpoint_map: dict[str, JsonValue] | None = None


class StateAtBody(Body):
    """`threads.get_state` with a checkpoint."""

    checkpoint: CheckpointBody
    subgraphs: bool = False
    select: list[str] | None = None


class StateBody(Body):
    """`threads.update_state`."""

    values: JsonValue = None
    as_node: str | None = None
    checkpoint_id: UUID | None = None
    checkpoint: CheckpointBody | None = None

    @property
    def at(self) -> str | None:
        """The checkpoint that is edited; None for the newest."""
        return checkpoint_of(self.checkpoint_id, self.checkpoint)


class HistoryBody(Body):
    """`threads.get_history`."""

    limit: Limit = 10
    before: CheckpointBody | UUID | None = None
    metadata: dict[str, JsonValue] | None = None
    checkpoint: CheckpointBody | None = None
    select: list[str] | None = None


def checkpoint_of(checkpoint_id: UUID | None, checkpoint: CheckpointBody | None) -> str | None:
    """The id that either of two ways of naming a checkpoint gives."""
    found = checkpoint_id or (checkpoint.checkpoint_id if checkpoint else None)
    return str(found) if found else None


def _unkeepable(value: Any) -> str:
    """What is wrong with a value that JSON can say and Postgres cannot keep; "" if nothing."""
    if isinstance(value, str) and (found := _NOT_TEXT.search(value)):
        return "text must not contain " + ("the NUL character" if found[0] == "\0" else "half a surrogate pair")
    if isinstance(value, float) and not math.isfinite(value):
        return "numbers must be finite"
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return next(filter(None, map(_unkeepable, parts)), "")
