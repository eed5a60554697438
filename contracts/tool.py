"""What a tool is: one narrow, typed operation on an outside system, and what is known about its risk."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, Protocol, Required, TypeVar, get_type_hints
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, JsonValue
from typing_extensions import TypedDict, Unpack

from contracts.approval import Change
from contracts.errors import RiskUnknown, ToolRefused
from contracts.records import NO_RECORDS, Records
from contracts.sink import NO_LIMITS, Limits, Reach, Sink

Effect = Literal["read", "transactional", "outbox", "idempotent", "queryable", "at_most_once"]
"""What a call does outside, and so what may be done about one of which nobody knows what became of it.

- `read` changes nothing: it is called again.
- `transactional` changes rows in our own Postgres, in one transaction with its ledger row: it happened or it did not.
- `outbox` is only accepted by the call and sent later, under its key, until it is delivered or refused.
- `idempotent`: the system drops repeats of a key for `key_retention_s`: it is sent again that long.
- `queryable`: the system can be asked what became of a key: it is looked up.
- `at_most_once`: none of this, and a repeat acts twice: a person finds out.
"""

DAY_S = 86_400.0

Reversibility = Literal["reversible", "compensable", "irreversible"]
GateClass = Literal[
    "external_messages",
    "prices_and_availability",
    "refunds_and_cancellations",
    "permissions",
    "publishing",
    "destructive_administration",
]
"""Kinds of effects about which a person is asked, unless a policy says why not: a rule that asks, or a waiver."""
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
        body: JsonValue | Mapping[str, JsonValue] = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonValue:
        """Send one HTTP request and return the decoded JSON reply, None for an empty one.

        The gateway's own headers, as those with credentials, cannot be said here.

        Raises `ToolUnavailable` when it surely did not act, `ToolOutcomeUnknown` when it may have, `ToolRefused` on
        4xx.
        """
        ...


@dataclass(frozen=True)
class Call:
    """One tool call as the gateway hands it to the tool. A `transactional` tool reaches no outside system."""

    idempotency_key: str
    send: Transport
    records: Records = NO_RECORDS


Request = TypeVar("Request", bound=ToolModel)
Reply = TypeVar("Reply", bound=ToolModel)


class Accepted(ToolModel):
    """The reply of every `outbox` tool: the call stands in the ledger and will be delivered under this key."""

    idempotency_key: str


LookUp = Callable[[Request, Call], Awaitable[Reply | None]]
"""Asks the system what became of `call.idempotency_key`; changes nothing.

Returns the reply that was lost; None when the system took no call with this key; raises `ToolRefused` when it refused
the call, `ToolUnavailable` when it cannot say.
"""


Reread = Callable[[Request, Call], Awaitable[Mapping[str, JsonValue]]]
"""Reads the fields that `preconditions` names as they stand now; changes nothing. What it leaves out has not changed.

Raises `ToolRefused`, `ToolUnavailable` as a read does.
"""


DryRun = Callable[[Request, Call], Awaitable[Sequence[Change]]]
"""What a call would change, as the outside system has it now; reads alone, and changes nothing.

Raises `ToolRefused`, `ToolUnavailable` as a read does.
"""


@dataclass(frozen=True)
class Tool(Generic[Request, Reply]):
    """A typed operation with its contract. Called only by the gateway."""

    name: str
    """`system.operation`, as in `billing.issue_refund`."""
    run: Callable[[Request, Call], Awaitable[Reply]]
    request: type[Request]
    reply: type[Reply]
    effect: Effect
    scopes: tuple[str, ...]
    reversibility: Reversibility = "reversible"
    blast_radius: BlastRadius = "none"
    timeout_s: float = 10
    idempotent_by: tuple[str, ...] = ()
    target: str = ""
    """The request field that names the object acted on."""
    preconditions: tuple[str, ...] = ()
    """Request fields holding versions that were read when the action was proposed."""
    undo: str = "Nothing to undo: it only reads."
    """One sentence: how a person takes this back."""
    reread: Reread[Request] | None = None
    """How the gateway finds out, before it acts, whether the preconditions still hold; None: the system checks them."""
    dry_run: DryRun[Request] | None = None
    """What reviewers are shown of a call before it is made, beside what the workflow says of it."""
    key_retention_s: float = DAY_S
    """`idempotent` and `outbox`: how long the system drops repeats of a key."""
    look_up: LookUp[Request, Reply] | None = None
    """`queryable`: how the system is asked."""
    settles_in_s: float = 0
    """`queryable`: a call that was taken is found by `look_up` at the latest so long after it was sent."""
    amount: str = ""
    """The request field that holds the sum at stake, in minor units or as a decimal string. Caps add it up."""
    currency: str = ""
    """The request field that holds its currency."""
    compensation: "Compensation | None" = None
    sinks: Mapping[str, Sink] = field(default_factory=dict, hash=False)
    """By request field; dotted paths for fields within fields, lists are passed through."""
    trusted: tuple[str, ...] = ()
    """Reply fields whose values no outsider wrote: ids, addresses, reference data. A path means all below it."""
    private: tuple[str, ...] = ()
    """Reply fields that are not for outsiders."""
    reaches: Reach = "inside"
    """Who sees what a call carries."""
    limits: Limits = NO_LIMITS
    gate_class: GateClass | None = None

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
        parts: list[Any] = [
            self.request.model_json_schema(),
            self.reply.model_json_schema(),
            [self.effect, self.reversibility, self.blast_radius, *self.scopes],
        ]
        if (self.key_retention_s, self.settles_in_s) != (DAY_S, 0):
            parts.append([self.key_retention_s, self.settles_in_s])
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


AnyTool = Tool[Any, Any]
"""A tool whose request and reply types do not matter to the reader, as in a policy's list."""


@dataclass(frozen=True)
class Compensation:
    """The call that takes back what another one has done."""

    tool: AnyTool
    """`idempotent`: it is sent until it is answered, under one key."""
    request: Callable[[Any, Any], ToolModel]
    """`(request, reply) -> request of tool`, of the call that is taken back. Pure."""


class Facts(TypedDict, total=False):
    """What `@tool` is told: the fields of `Tool` that the function does not say itself."""

    effect: Required[Effect]
    scopes: Required[tuple[str, ...]]
    reversibility: Reversibility
    blast_radius: BlastRadius
    timeout_s: float
    idempotent_by: tuple[str, ...]
    target: str
    preconditions: tuple[str, ...]
    reread: Reread[Any] | None
    dry_run: DryRun[Any] | None
    undo: str
    key_retention_s: float
    look_up: LookUp[Any, Any] | None
    settles_in_s: float
    amount: str
    currency: str
    compensation: Compensation | None
    sinks: Mapping[str, Sink]
    trusted: tuple[str, ...]
    private: tuple[str, ...]
    reaches: Reach
    limits: Limits
    gate_class: GateClass


def segment(value: object) -> str:
    """A value as one step of a path. Raises `ToolRefused` for one that would lead somewhere else."""
    text = str(value)
    if text in ("", ".", ".."):
        raise ToolRefused(f"{text!r} names nothing in a path; nothing was sent.")
    return quote(text, safe="")


RISK_UNKNOWN: Any = object()
"""Stands where an imported tool's risk has to be said by a person. A tool with it does not load."""


def tool(**facts: Unpack[Facts]) -> Callable[[Callable[[Request, Call], Awaitable[Reply]]], Tool[Request, Reply]]:
    """Turn `async def operation(request: Model, call: Call) -> Model` in `tools/<system>.py` into a tool.

    `effect="idempotent"` promises that the system drops repeats of `call.idempotency_key` for `key_retention_s`;
    `idempotent_by` names the request fields that make two requests the same. `outbox` promises the same and replies
    `Accepted`. `queryable` promises that `look_up` knows of every call `settles_in_s` after it was sent. Raises
    `RiskUnknown` while a fact is `RISK_UNKNOWN`.
    """
    unsaid = [name for name, value in facts.items() if value is RISK_UNKNOWN]

    def make(run: Callable[[Request, Call], Awaitable[Reply]]) -> Tool[Request, Reply]:
        hints = get_type_hints(run)
        system = run.__module__.rpartition(".")[2]
        if unsaid:
            raise RiskUnknown(
                f"The tool '{system}.{run.__name__}' was imported, and nobody has said its {', '.join(unsaid)}.",
                hint=f"Replace RISK_UNKNOWN in {run.__module__}: what it does outside, and how a person takes it back.",
            )
        return Tool(name=f"{system}.{run.__name__}", run=run, request=hints["request"], reply=hints["return"], **facts)

    return make
