"""What callers send: the requests of `langgraph_sdk`, as far as this server serves them."""

import math
import re
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from api.modes import StreamMode
from contracts.errors import BypassRefused, NotSupported

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


class ThreadBody(Body):
    """`threads.create`."""

    thread_id: UUID = Field(default_factory=uuid4)
    metadata: dict[str, JsonValue] = {}
    if_exists: Literal["raise", "do_nothing"] = "raise"


class CommandBody(Body):
    """`command` of a run: only `resume` is obeyed."""

    resume: JsonValue = None
    update: JsonValue = None
    goto: JsonValue = None


class RunBody(Body):
    """`runs.create`, `runs.wait` and `runs.stream`."""

    assistant_id: str
    input: dict[str, JsonValue] | None = None
    command: CommandBody | None = None
    metadata: dict[str, JsonValue] = {}
    stream_mode: StreamMode | list[StreamMode] | None = None
    multitask_strategy: Literal["enqueue", "reject"] = "enqueue"
    if_not_exists: Literal["create", "reject"] = "reject"
    config: dict[str, JsonValue] = {}
    durability: Literal["sync"] | None = None
    checkpoint_id: str | None = None
    checkpoint: dict[str, JsonValue] | None = None
    on_disconnect: Literal["cancel", "continue"] = "continue"
    stream_resumable: bool = Field(True, description="Every stream can be resumed: its events have ids and are kept.")
    stream_subgraphs: bool = False
    feedback_keys: list[str] | None = None

    @property
    def stream_modes(self) -> tuple[str, ...]:
        """What to stream; nothing where the caller did not say."""
        return (self.stream_mode,) if isinstance(self.stream_mode, str) else tuple(self.stream_mode or ())

    def require_served(self) -> None:
        """Raises `BypassRefused` for what would move a run past a gate, `NotSupported` for what is not offered."""
        if self.command and (self.command.update is not None or self.command.goto is not None):
            raise BypassRefused(
                "A governed run takes neither `update` nor `goto`: they can move it past its gate.",
                hint="Send `command.resume` alone, or cancel the run and start the case again.",
            )
        if self.command and self.input is not None:
            raise NotSupported("Send either `input` or `command`, not both.")
        if (self.checkpoint_id or self.checkpoint) and not self.command:
            raise NotSupported("Running again from an earlier checkpoint is not offered.")
        if self.config.get("configurable"):
            raise NotSupported("A governed workflow takes no `config.configurable`.")


class StateBody(Body):
    """`threads.update_state`."""

    values: JsonValue = None
    as_node: str | None = None
    checkpoint_id: str | None = None
    checkpoint: dict[str, JsonValue] | None = None


class HistoryBody(Body):
    """`threads.get_history`."""

    limit: int = Field(10, ge=1, le=1000)
    before: dict[str, JsonValue] | str | None = None
    metadata: dict[str, JsonValue] | None = None
    checkpoint: dict[str, JsonValue] | None = None


def _unkeepable(value: Any) -> str:
    """What is wrong with a value that JSON can say and Postgres cannot keep; "" if nothing."""
    if isinstance(value, str) and (found := _NOT_TEXT.search(value)):
        return "text must not contain " + ("the NUL character" if found[0] == "\0" else "half a surrogate pair")
    if isinstance(value, float) and not math.isfinite(value):
        return "numbers must be finite"
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return next(filter(None, map(_unkeepable, parts)), "")
