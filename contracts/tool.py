"""What a tool is: one narrow, typed operation on an outside system, and what is known about its risk."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, JsonValue

Effect = Literal["read", "idempotent", "at_most_once"]
"""`read` changes nothing; `idempotent`: the system drops repeats of a key; `at_most_once`: a repeat acts twice."""

Reversibility = Literal["reversible", "compensable", "irreversible"]
BlastRadius = Literal["none", "customer", "team", "company"]


class ToolModel(BaseModel):
    """Base of every tool request and reply: unknown fields are refused, values never change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Transport(Protocol):
    """The gateway's connection to one outside system."""

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, JsonValue] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> JsonValue:
        """Send one HTTP request and return the decoded JSON reply.

        Raises `ToolUnavailable` when it surely did not act, `ToolOutcomeUnknown` when it may have, `ToolRefused` on
        4xx.
        """
        ...


@dataclass(frozen=True)
class Call:
    """One tool call as the gateway hands it to the tool."""

    idempotency_key: str
    send: Transport


Request = TypeVar("Request", bound=ToolModel)
Reply = TypeVar("Reply", bound=ToolModel)


@dataclass(frozen=True)
class Tool(Generic[Request, Reply]):
    """A typed operation with its contract. Called only by the gateway."""

    name: str
    """`system.operation`, as in `billing.issue_refund`."""
    run: Callable[[Request, Call], Awaitable[Reply]]
    request: type[Request]
    reply: type[Reply]
    effect: Effect
    reversibility: Reversibility
    blast_radius: BlastRadius
    scopes: tuple[str, ...]
    timeout_s: float
    idempotent_by: tuple[str, ...]
    target: str
    """The request field that names the object acted on."""
    preconditions: tuple[str, ...]
    """Request fields holding versions that were read when the action was proposed."""
    undo: str
    """One sentence: how a person takes this back."""

    @property
    def system(self) -> str:
        return self.name.partition(".")[0]

    @property
    def writes(self) -> bool:
        return self.effect != "read"

    @property
    def summary(self) -> str:
        return (self.run.__doc__ or self.name).strip().splitlines()[0]

    @cached_property
    def version(self) -> str:
        """First 12 hex digits of SHA-256 over the request and reply schemas and the risk."""
        parts = [
            self.request.model_json_schema(),
            self.reply.model_json_schema(),
            [self.effect, self.reversibility, self.blast_radius, *self.scopes],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


AnyTool = Tool[Any, Any]
"""A tool whose request and reply types do not matter to the reader, as in a policy's list."""


def tool(  # noqa: PLR0913  # a decorator: every argument is a keyword and a fact of the contract
    *,
    effect: Effect,
    scopes: tuple[str, ...],
    reversibility: Reversibility = "reversible",
    blast_radius: BlastRadius = "none",
    timeout_s: float = 10,
    idempotent_by: tuple[str, ...] = (),
    target: str = "",
    preconditions: tuple[str, ...] = (),
    undo: str = "Nothing to undo: it only reads.",
) -> Callable[[Callable[[Request, Call], Awaitable[Reply]]], Tool[Request, Reply]]:
    """Turn `async def operation(request: Model, call: Call) -> Model` in `tools/<system>.py` into a tool.

    `effect="idempotent"` promises that the system drops repeats of `call.idempotency_key`; `idempotent_by` names the
    request fields that make two requests the same.
    """

    def make(run: Callable[[Request, Call], Awaitable[Reply]]) -> Tool[Request, Reply]:
        hints = get_type_hints(run)
        system = run.__module__.rpartition(".")[2]
        return Tool(
            name=f"{system}.{run.__name__}",
            run=run,
            request=hints["request"],
            reply=hints["return"],
            effect=effect,
            reversibility=reversibility,
            blast_radius=blast_radius,
            scopes=scopes,
            timeout_s=timeout_s,
            idempotent_by=idempotent_by,
            target=target,
            preconditions=preconditions,
            undo=undo,
        )

    return make
