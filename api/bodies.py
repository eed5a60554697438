"""What callers send: the requests of `langgraph_sdk`, as far as this server serves them."""

from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from contracts.errors import BypassRefused, NotSupported

StreamMode = Literal["values", "updates"]


class _Body(BaseModel):
    # Text of a NUL byte cannot be stored in Postgres: refused here, where it has a name.
    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        if _holds_nul(value):
            raise ValueError("text must not contain the NUL character")
        return value


class ThreadBody(_Body):
    """`threads.create`."""

    thread_id: UUID = Field(default_factory=uuid4)
    metadata: dict[str, JsonValue] = {}
    if_exists: Literal["raise", "do_nothing"] = "raise"


class CommandBody(_Body):
    """`command` of a run: only `resume` is obeyed."""

    resume: JsonValue = None
    update: JsonValue = None
    goto: JsonValue = None


class RunBody(_Body):
    """`runs.create`, `runs.wait` and `runs.stream`."""

    assistant_id: str
    input: dict[str, JsonValue] | None = None
    command: CommandBody | None = None
    metadata: dict[str, JsonValue] = {}
    stream_mode: StreamMode | list[StreamMode] = "values"
    multitask_strategy: Literal["enqueue", "reject"] = "enqueue"
    if_not_exists: Literal["create", "reject"] = "reject"
    config: dict[str, JsonValue] = {}
    durability: Literal["sync"] | None = None
    checkpoint_id: str | None = None
    checkpoint: dict[str, JsonValue] | None = None
    on_disconnect: Literal["continue"] | None = None
    stream_resumable: bool = True
    stream_subgraphs: bool = False
    feedback_keys: list[str] | None = None

    @property
    def stream_modes(self) -> tuple[str, ...]:
        return (self.stream_mode,) if isinstance(self.stream_mode, str) else tuple(self.stream_mode)

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


class StateBody(_Body):
    """`threads.update_state`."""

    values: JsonValue = None
    as_node: str | None = None
    checkpoint_id: str | None = None
    checkpoint: dict[str, JsonValue] | None = None


class HistoryBody(_Body):
    """`threads.get_history`."""

    limit: int = Field(10, ge=1, le=1000)
    before: dict[str, JsonValue] | str | None = None
    metadata: dict[str, JsonValue] | None = None
    checkpoint: dict[str, JsonValue] | None = None


class SearchBody(BaseModel):
    """`assistants.search`; filters beyond these are ignored."""

    model_config = ConfigDict(extra="ignore")

    graph_id: str | None = None
    limit: int = Field(10, ge=0, le=1000)
    offset: int = Field(0, ge=0)


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(k) or _holds_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(_holds_nul(v) for v in value)
