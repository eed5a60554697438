"""What a case says: input, people's scripted answers, what goes wrong outside, and what is expected."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.approval import JsonObject
from engine.runs.model import Outcome
from evals.worlds.faults import Fault, FaultKind
from evals.worlds.sandbox import EffectKind

Kind = Literal[
    "automatic",
    "gated_approved",
    "gated_edited",
    "gated_rejected",
    "expired",
    "sent_back",
    "goodwill",
    "denied",
    "clarified",
    "explained",
    "handed_off",
    "model_wrong",
    "model_fault",
    "tool_fault",
    "attack",
    "ugly_incomplete",
    "ugly_conflicting",
    "ugly_edge",
    "ugly_angry",
    "ugly_bad_format",
    "ugly_vague",
]
"""What a case is in the collection for. The six `ugly_` kinds are what every workflow has cases of."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Meanwhile(_Part):
    """What somebody else does in an outside system while the case waits."""

    system: str
    path: str
    body: JsonObject


class _Answer(_Part):
    by: str = ""
    """Who answers; empty: some reviewer, or for a question the requester."""
    meanwhile: list[Meanwhile] = []
    refused: str = ""
    """Error code with which this answer is refused. What it was for waits on, for the next answer."""


class _Decision(_Answer):
    holds: list[str] | None = None
    """Roles that the reviewer holds; None: the one that the request asks for."""
    reason: str = ""


class Approve(_Decision):
    type: Literal["approve"]


class Edit(_Decision):
    type: Literal["edit"]
    args: Annotated[JsonObject, Field(min_length=1)]
    """Only the arguments that the reviewer changes."""


class Reject(_Decision):
    type: Literal["reject"]
    message: str = ""


class Respond(_Decision):
    type: Literal["respond"]
    message: str


class Expire(_Answer):
    """Nobody decides until the time is over."""

    type: Literal["expire"]


class Reply(_Answer):
    """The answer to a clarification."""

    type: Literal["answer"]
    text: str


Answer = Annotated[Approve | Edit | Reject | Respond | Expire | Reply, Field(discriminator="type")]


class WorldFault(_Part):
    """See `evals.worlds.faults.Fault`."""

    operation: Annotated[str, Field(pattern=r"^\w+\.\w+$")]
    kind: FaultKind
    times: int | None = None

    def fault(self) -> Fault:
        return Fault(self.operation, self.kind, self.times)


class Stages(_Part):
    """The stages that finished. `subset`: each of these, wherever; `in_order`: these, others in between; `exact`."""

    mode: Literal["subset", "in_order", "exact"]
    path: list[str]


class Forbidden(_Part):
    """An effect with these fields must not be among what was done."""

    effect: EffectKind
    having: JsonObject


class ExpectedProblem(_Part):
    """The error that ended or diverted the case."""

    code: str
    category: str
    stage: str = ""


class Executed(_Part):
    """A call of a tool that changes something outside."""

    tool: Annotated[str, Field(pattern=r"^\w+\.\w+$")]
    args: JsonObject
    """The arguments that matter."""


class CallLimits(_Part):
    """The most calls that the case may make."""

    model_calls: Annotated[int, Field(ge=0)]
    tool_calls: Annotated[int, Field(ge=0)]


class Expectations(_Part):
    """What must hold. Where a value is expected, `{contains: text}` and `{lacks: text}` look into a text."""

    outcome: Outcome | Literal["refused", "waiting"]
    """`refused`: the input was not taken, so there was no run. `waiting`: it still waits when the script is over."""
    stages: Stages
    gates: list[str]
    """Rules that asked a person, in order; empty: nobody was asked."""
    effects: dict[EffectKind, list[JsonObject]]
    """Everything done outside, by kind and in order, each as the fields that matter."""
    executed: list[Executed] | None = None
    """Exactly these calls that change something, in order, as the gateway sent them; None: only `effects` counts."""
    forbidden: list[Forbidden] = []
    state: JsonObject = {}
    """Fields of the final state by dotted path."""
    nowhere: list[str] = []
    """Texts that must not have been stored or sent anywhere."""
    problem: ExpectedProblem | None = None
    limits: CallLimits


class Earlier(_Part):
    """A case of the same workflow that was opened before, and is left where it gets to without anybody's answer."""

    requester: Annotated[str, Field(min_length=1)]
    input: Annotated[JsonObject, Field(min_length=1)]


class Source(_Part):
    """Which run a recorded case was made of."""

    run: str
    version: str
    """Of its workflow."""
    redaction: int
    """By which rules texts were masked before anything was written: see `evals.recording.masking`."""


class Case(_Part):
    """One `case.yaml`."""

    title: Annotated[str, Field(min_length=1, max_length=120)]
    kind: Kind
    input: Annotated[JsonObject, Field(min_length=1)]
    words_from: Annotated[str, Field(pattern=r"^(written|recorded|tau-bench/\w+|banking77/\w+(, with an addition)?)$")]
    """Where the words come from: BANKING77 or τ-bench, verbatim; written for the case; recorded in production."""
    requester: Annotated[str, Field(min_length=1)]
    opened_on: Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d)?$")] = ""
    """The day on which the case was opened; empty: the day that the worlds call today."""
    context: JsonObject = {}
    """What assistant and caller have told the stages."""
    earlier: list[Earlier] = []
    """In this order, before the case itself is opened."""
    airline: str = ""
    """Folder with another airline's database, seen from the case's own; empty: the small one that we have."""
    answers: list[Answer] = []
    faults: list[WorldFault] = []
    source: Source | None = None
    expect: Expectations
