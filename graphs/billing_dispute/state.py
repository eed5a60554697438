"""What is known of a dispute, stage by stage. JSON-native: this is what checkpoints hold."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal
from nodes.effect import Drift
from nodes.recovery import Problem
from tools.fields import AccountId

Kind = Literal[
    "duplicate",
    "unpermitted_fee",
    "fee_above_price",
    "permitted_fee",
    "exchange_markup",
    "after_cancellation",
    "pending_hold",
    "already_returned",
]
Standing = Literal["owed", "nothing_owed", "unclear", "not_ours"]
Identity = Literal["confirmed", "conflicting"]
Remedy = Literal["refund", "credit", "none"]
Outcome = Literal["completed", "rejected", "handed_off", "expired"]


class Claim(TypedDict):
    """Input: the customer's own words and whose account it is."""

    complaint: Annotated[str, Field(min_length=1, max_length=4000)]
    account_id: AccountId


class Issue(TypedDict):
    """What the customer says is wrong, as a model read it."""

    kind: str
    amount_cents: int | None
    merchant: str
    answered_by: str


class Line(TypedDict):
    """A line of the bill that differs from what the plan allows, or that explains the complaint."""

    kind: Kind
    charge_id: str
    invoice_id: str
    charge_version: int
    posted_on: str
    description: str
    amount_cents: int
    owed_cents: int
    currency: str
    says: str


class Comparison(TypedDict):
    """The bill against the plan: computed, never guessed."""

    standing: Standing
    disputed: Line | None
    candidates: list[Line]
    identity: Identity
    identity_says: str


class Finding(TypedDict):
    """What to do about it: the model's opinion, bounded by the comparison."""

    remedy: Remedy
    amount_cents: int
    line: Line | None
    evidence: Literal["clear", "conflicting"]
    reason: str
    opinion: str
    answered_by: str


class Reply(TypedDict):
    subject: str
    body: str
    written_by: str


class State(Claim):
    """Every channel; a stage's own parameter type says which of them it needs."""

    issue: NotRequired[Issue]
    records: NotRequired[dict[str, JsonValue]]
    comparison: NotRequired[Comparison]
    question: NotRequired[str]
    clarification: NotRequired[str]
    finding: NotRequired[Finding]
    rounds: NotRequired[int]
    letters: NotRequired[int]
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    reply: NotRequired[Reply]
    reply_proposal: NotRequired[Proposal]
    reply_decision: NotRequired[Decision | None]
    sent: NotRequired[dict[str, JsonValue]]
    problem: NotRequired[Problem | None]
    drift: NotRequired[Drift | None]
    outcome: NotRequired[Outcome]
    summary: NotRequired[str]


class Opened(Claim):
    clarification: str


class Classified(Opened):
    issue: Issue


class Read(Classified):
    records: dict[str, JsonValue]


class Compared(Read):
    comparison: Comparison
    rounds: int
    decision: Decision | None


class Assessed(Compared):
    finding: Finding


class Settled(Assessed):
    receipt: dict[str, JsonValue] | None
    reply_decision: Decision | None
    letters: int


class Answered(Settled):
    reply: Reply


class Result(TypedDict):
    """Output: how the case ended."""

    outcome: Outcome
    summary: str
