"""What a stage may reach: the case it works on, tools, models and gates. Nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, GetPydanticSchema, JsonValue, WithJsonSchema
from pydantic_core import core_schema

from contracts.approval import Decision, Draft, JsonObject, Proposal
from contracts.errors import NotCarried
from contracts.tool import Reply, Request, Tool

Typed = TypeVar("Typed", bound=BaseModel)

ModelSource = Literal["live", "recorded", "written", "stand-in"]
"""Where a reply came from. `written`: a person wrote the recording; `stand-in`: deterministic rules, no model."""


@dataclass(frozen=True)
class Case:
    """The case a run works on, fixed when the run was created."""

    thread_id: str
    run_id: str
    workflow: str
    version: str
    tenant: str
    actor: str
    """The agent's service account, as in `agent:billing_dispute`."""
    requester: str
    opened_on: str
    """ISO date on which the run was created: the only clock a stage sees."""
    context: Mapping[str, JsonValue] = field(default_factory=dict)
    """What the assistant and the caller said about this run. It authorises nothing."""


@dataclass(frozen=True)
class ModelReply(Generic[Typed]):
    """A model's typed reply and what produced it."""

    value: Typed
    model: str
    source: ModelSource

    @property
    def answered_by(self) -> str:
        return by_whom(self.model, self.source)


def by_whom(model: str, source: str) -> str:
    """How a reply's origin is shown wherever a model's name is shown: `gpt-4o`, `gpt-4o (recorded)`, `stand-in`."""
    return model if source in ("live", model) else f"{model} ({source})"


class Tools(Protocol):
    async def call(self, tool: Tool[Request, Reply], request: Request, *, request_id: str = "") -> Reply:
        """Call `tool` through the gateway. A write needs the `request_id` of an approved, unconsumed request.

        The same call of a repeated stage returns the recorded reply. Raises `ToolError`, `ApprovalRequired`,
        `DigestMismatch`, `PolicyDenied`, `ToolNotGranted`, `BudgetExceeded`, `DivergentExecution`.
        """
        ...


class Models(Protocol):
    async def ask(self, prompt: str, returns: type[Typed], **values: JsonValue) -> ModelReply[Typed]:
        """Render the workflow's prompt file `prompt` with `values` and return the validated reply.

        Raises `ModelError` after the allowed repairs and fallbacks, `BudgetExceeded`.
        """
        ...


class Gates(Protocol):
    async def freeze(self, tool: Tool[Request, Reply], draft: Draft) -> Proposal:
        """Judge the action once, store it under its digest and return what the state keeps. Repeatable."""
        ...

    async def card(self, request_id: str) -> JsonObject:
        """What the reviewer is shown, as the interrupt's value."""
        ...

    async def question(self, text: str, *, confirms: str = "") -> JsonObject:
        """What the requester is asked, as the interrupt's value.

        `confirms`: the frozen request whose action they are asked to confirm, which is shown as it was frozen. Where
        the policy wants a tool's calls confirmed, an answer of `yes` to exactly that is what counts.
        """
        ...

    async def doubt(self, request_id: str) -> JsonObject:
        """What a person is shown who shall find out what became of the call that `request_id` allowed."""
        ...

    async def decision(self, request_id: str) -> Decision:
        """The stored decision. Raises `ApprovalRequired` while there is none."""
        ...


# LangGraph's tooling asks for the JSON Schema of a context; a port has none and is never sent by anybody.
_PORT = GetPydanticSchema(lambda _source, _handler: core_schema.any_schema())
_PORT_SCHEMA = WithJsonSchema({"type": "object", "description": "Given by the engine."})


class Ports(Protocol):
    """What stages reach on a server that hands its graphs no context of ours."""

    case: Case
    tools: Tools
    models: Models
    gates: Gates


_offered: list[Ports] = []


def offer(ports: Ports | None) -> None:
    """From now on, in this process, a context that is made of nothing reaches `ports`."""
    _offered[:] = [ports] if ports else []


def _reach(name: str) -> Callable[[], Any]:
    def port() -> Any:
        if not _offered:
            raise NotCarried(
                "This server runs the graph without Gatehouse, so its stages reach no tool, no model and no gate.",
                hint='Name the engine in langgraph.json: "http": {"app": "./api/beside.py:app"}.',
            )
        return getattr(_offered[0], name)

    return port


@dataclass(frozen=True)
class Context:
    """LangGraph's runtime context of every Gatehouse workflow. Our workers hand it to the graph.

    Another server makes it of nothing: its members are those that were offered in its process, if any were.
    """

    case: Case = field(default_factory=_reach("case"))
    tools: Annotated[Tools, _PORT, _PORT_SCHEMA] = field(default_factory=_reach("tools"))
    models: Annotated[Models, _PORT, _PORT_SCHEMA] = field(default_factory=_reach("models"))
    gates: Annotated[Gates, _PORT, _PORT_SCHEMA] = field(default_factory=_reach("gates"))
