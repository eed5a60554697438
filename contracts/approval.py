"""What is proposed, shown, decided and consumed at a gate."""

from typing import Literal, NotRequired

from pydantic import JsonValue
from typing_extensions import TypedDict

JsonObject = dict[str, JsonValue]

DecisionType = Literal["approve", "edit", "reject", "respond", "expired"]
PERSONAL_DECISIONS: tuple[DecisionType, ...] = ("approve", "edit", "reject", "respond")

ReasonCode = Literal[
    "wrong_amount",
    "wrong_target",
    "duplicate",
    "not_justified",
    "not_allowed",
    "not_needed",
    "suspicious",
    "ignored",
    "other",
]
"""Why somebody rejected, for those who count it; what they write beside it is for people."""

RequestStatus = Literal[
    "frozen", "pending", "approved", "edited", "rejected", "responded", "expired", "denied", "superseded", "cancelled"
]


class Evidence(TypedDict):
    """One fact behind a proposal and where it was read."""

    source: str
    """Tool or document, as in `billing.find_charges`."""
    says: str
    """One sentence."""


class Change(TypedDict):
    """One field of the outside record before and after."""

    field: str
    before: JsonValue
    after: JsonValue


class Draft(TypedDict):
    """An action as a stage proposes it, before it is frozen."""

    args: JsonObject
    """The tool's request."""
    facts: JsonObject
    """What policy may look at beside the arguments: computed by code from tool replies, never by a model."""
    summary: str
    """At most 200 characters: what will happen, to whom, why."""
    reason: str
    evidence: list[Evidence]
    diff: list[Change]
    opinion: NotRequired[str]
    """A model's words about it: shown apart, judged by nobody."""


class Proposal(TypedDict):
    """A frozen action: what the state keeps. The row of the approvals table is the authority, not this copy."""

    request_id: str
    action_digest: str
    tool: str
    args: JsonObject
    verdict: Literal["allow", "deny", "require_approval"]
    rule: str
    why: str


class Decision(TypedDict):
    """How a request ended."""

    type: DecisionType
    by: str
    """Who decided: `key:<name>`, `policy:<version>` or `system`."""
    reason: str
    message: str
    """What a `respond` said."""
    request_id: str
    """The request whose approval the effect consumes; after an edit, the new one."""
    args: JsonObject
    action_digest: str


class Answer(TypedDict):
    """The requester's answer to a clarification."""

    text: str
    by: str


def says_yes(answer: str) -> bool:
    """Whether an answer confirms what it was asked about: the one word and nothing else, however it is written."""
    return answer.strip().rstrip(".!").casefold() == "yes"
