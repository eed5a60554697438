"""What callers send about runs: the requests of `langgraph_sdk`."""

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, field_validator, model_validator
from pydantic.alias_generators import to_camel

from api.bodies import Body, CheckpointBody, checkpoint_of
from api.modes import StreamMode
from api.pages import Limit, Offset
from contracts.errors import BypassRefused, InvalidRequest, NotSupported
from engine.runs.model import RunOptions, RunStatus

Stages = Literal["*"] | list[str]
_YEAR_S = 365 * 86_400
_RESUME_MAP = "__pregel_resume_map"
_NOT_PASSED_ON = (
    _RESUME_MAP,
    "__pregel_resuming",
    "thread_id",
    "checkpoint_id",
    "checkpoint_ns",
    "checkpoint_map",
    "run_id",
    "graph_id",
    "assistant_id",
)
"""What clients put into `configurable` and the server says itself."""


class CommandBody(Body):
    """`command` of a run. On a thread with an open gate only `resume` is obeyed."""

    lg_name: Literal["Command"] | None = Field(None, description="How `Command` of LangGraph for JavaScript begins.")
    resume: JsonValue = None
    update: JsonValue = None
    goto: str | dict[str, JsonValue] | list[str | dict[str, JsonValue]] | None = None

    @field_validator("goto")
    @classmethod
    def _somewhere(cls, value: object) -> object:
        return value or None  # `RemoteGraph` sends an empty list for nowhere


class ConfigBody(Body):
    """`config` of a run."""

    tags: list[str] = Field([], max_length=50)
    recursion_limit: int | None = Field(None, ge=1)
    configurable: dict[str, JsonValue] = Field(default_factory=dict)
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def checkpoint_id(self) -> str | None:
        """The checkpoint to start from, as graphs that are called without a server name it. Raises `InvalidRequest`."""
        named = self.configurable.get("checkpoint_id")
        try:
            return str(UUID(str(named))) if named else None
        except ValueError as error:
            raise InvalidRequest("`config.configurable.checkpoint_id` is not the id of a checkpoint.") from error


class RunBody(Body):
    """`runs.create`, `runs.wait`, `runs.stream` and `runs.create_batch`, on a thread or without one."""

    assistant_id: str
    input: dict[str, JsonValue] | None = None
    command: CommandBody | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    config: ConfigBody = ConfigBody()
    context: dict[str, JsonValue] = Field(default_factory=dict)
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool = False
    stream_resumable: bool = Field(True, description="Every stream can be resumed: its events have ids and are kept.")
    interrupt_before: Stages | None = None
    interrupt_after: Stages | None = None
    webhook: str | None = Field(None, max_length=2000)
    checkpoint: CheckpointBody | None = None
    checkpoint_id: UUID | None = None
    checkpoint_during: bool | None = Field(None, deprecated="Use durability.")
    durability: Literal["sync", "async", "exit"] = "sync"
    multitask_strategy: Literal["enqueue", "reject", "interrupt", "rollback"] = "enqueue"
    if_not_exists: Literal["create", "reject"] = "reject"
    on_completion: Literal["delete", "keep"] = "delete"
    on_disconnect: Literal["cancel", "continue"] = "continue"
    after_seconds: float = Field(0, ge=0, le=_YEAR_S)
    priority: int = Field(0, ge=-100, le=100)
    strict_resume: bool = Field(True, description="Always strict here: an answer that fits nothing is refused.")
    langsmith_tracer: dict[str, JsonValue] | None = Field(
        None, description="Accepted; the server's own setting decides."
    )
    feedback_keys: list[str] | None = Field(None, description="Accepted and ignored.")

    @model_validator(mode="after")
    def _answer_of_an_outer_graph(self) -> Self:
        """A `RemoteGraph` inside a graph that is resumed sends the answer so, and its state as the input."""
        answer = self.config.configurable.get(_RESUME_MAP)
        if answer and self.command is None:
            self.command, self.input = CommandBody(resume=answer), None
        return self

    @property
    def stream_modes(self) -> tuple[str, ...]:
        """What to stream; nothing where the caller did not say."""
        modes = (self.stream_mode,) if isinstance(self.stream_mode, str) else tuple(self.stream_mode or ())
        return (*modes, "subgraphs") if self.stream_subgraphs and modes else modes

    @property
    def modes_of_stream(self) -> tuple[str, ...]:
        """What to stream to a caller who wants to hear something."""
        return self.stream_modes or (("values", "subgraphs") if self.stream_subgraphs else ("values",))

    @property
    def resumes(self) -> bool:
        """Whether the body is an answer. `{"resume": null}` is one that fits nothing, not the absence of one."""
        command = self.command
        return command is not None and (command.update is None and command.goto is None)

    def options(self) -> RunOptions:
        """How the run is to be executed. Raises `BypassRefused`, `NotSupported`."""
        command = self.command or CommandBody()
        if self.command and self.input is not None:
            raise NotSupported("Send either `input` or `command`, not both.")
        if command.resume is not None and (command.update is not None or command.goto is not None):
            raise BypassRefused(
                "An answer comes alone: `update` and `goto` beside it can move a run past its gate.",
                hint="Send `command.resume` alone, or cancel the run and start the case again.",
            )
        goto = command.goto if isinstance(command.goto, list) else [command.goto] if command.goto else []
        return RunOptions(
            config=self._config(),
            context=self.context,
            interrupt_before=_tuple(self.interrupt_before),
            interrupt_after=_tuple(self.interrupt_after),
            checkpoint_id=checkpoint_of(self.checkpoint_id, self.checkpoint) or self.config.checkpoint_id,
            update=command.update,
            goto=tuple(goto),
            durability=self.durability,
        )

    def _config(self) -> dict[str, JsonValue]:
        passed = {k: v for k, v in self.config.configurable.items() if k not in _NOT_PASSED_ON}
        if inner := sorted(key for key in passed if key.startswith("__")):
            raise NotSupported(f"`config.configurable` may not name LangGraph's own {inner[0]!r}.")
        given: dict[str, Any] = {"configurable": passed, "tags": self.config.tags}
        given["recursion_limit"] = self.config.recursion_limit
        return {name: value for name, value in given.items() if value}


class BatchedBody(RunBody):
    """One run of `runs.create_batch`. LangGraph's client for JavaScript sends its members as it names them itself."""

    @model_validator(mode="before")
    @classmethod
    def _named_alike(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        renamed = {to_camel(name): name for name in RunBody.model_fields}
        return {renamed.get(name, name): member for name, member in value.items()}


class RunsQuery(Body):
    """`runs.list`."""

    limit: Limit = 10
    offset: Offset = 0
    status: RunStatus | None = None
    select: list[str] | None = None


class CancelManyBody(Body):
    """`runs.cancel_many`: by thread and ids, or by status."""

    thread_id: UUID | None = None
    run_ids: list[UUID] = Field([], max_length=1000)
    status: Literal["pending", "running", "all"] | None = None


def _tuple(stages: Stages | None) -> tuple[str, ...]:
    return () if stages is None else ("*",) if stages == "*" else tuple(stages)
