"""What is known of a purchase, stage by stage. JSON-native: this is what checkpoints hold."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal
from nodes.effect import Drift
from nodes.recovery import Problem
from tools.fields import CostCentreId

Standing = Literal["ready", "unclear", "not_ours"]
Trust = Literal["approved", "new", "blocked", "sanctioned"]
Account = Literal["confirmed", "changed", "disputed"]
Outcome = Literal["completed", "rejected", "handed_off", "expired"]


class Wish(TypedDict):
    """Input: what somebody wants to buy, in their own words, and who pays."""

    request: Annotated[str, Field(min_length=1, max_length=4000)]
    cost_centre: CostCentreId


class Wanted(TypedDict):
    """The request as a model read it. It finds a supplier and an offer; it adds none, and no price."""

    supplier: str
    item: str
    quantity: int | None
    expected_cents: int | None
    expected_currency: str
    answered_by: str


class Purchase(TypedDict):
    """One offer, so many times: identity, price and account from the registers alone."""

    supplier_id: str
    supplier_name: str
    supplier_version: int
    trust: Trust
    trust_says: str
    approved_for: list[str]
    in_one_hand: list[str]
    """Other suppliers that share an owner or an account with this one."""
    bank_account: str
    account: Account
    account_says: str
    offer_id: str
    offer_version: int
    item: str
    category: str
    quantity: int
    most: int
    unit_price_cents: int
    amount_cents: int
    currency: str
    evidence: Literal["clear", "conflicting"]
    evidence_says: str


class Match(TypedDict):
    """The request against the registers: computed, never guessed."""

    standing: Standing
    purchase: Purchase | None
    says: str
    """The question when unclear; why a person must take over when it is not ours."""


class Spending(TypedDict):
    """What a cost centre has spent and set aside beside this order, and what its requester has bought of late."""

    limit_cents: int
    committed_cents: int
    lately_cents: int
    """Of the same requester from the same supplier, or from others in one hand with it."""
    doubles: list[str]
    """References of orders of the same thing by the same requester."""


class Identity(TypedDict):
    """Whose case it is: fixed when its run was created."""

    reference: str
    requester: str
    today: str


class State(Wish):
    """Every channel; a stage's own parameter type says which of them it needs."""

    identity: NotRequired[Identity]
    wanted: NotRequired[Wanted]
    records: NotRequired[dict[str, JsonValue]]
    match: NotRequired[Match]
    question: NotRequired[str]
    clarification: NotRequired[str]
    rounds: NotRequired[int]
    reservation_proposal: NotRequired[Proposal]
    reservation_decision: NotRequired[Decision | None]
    reservation: NotRequired[dict[str, JsonValue] | None]
    spending: NotRequired[Spending]
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    settlement_proposal: NotRequired[Proposal]
    settlement_decision: NotRequired[Decision | None]
    settlement: NotRequired[dict[str, JsonValue] | None]
    drift: NotRequired[Drift | None]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[Outcome]
    summary: NotRequired[str]


class Opened(Wish):
    clarification: str
    rounds: int
    decision: Decision | None


class Understood(Opened):
    identity: Identity
    wanted: Wanted


class Read(Understood):
    records: dict[str, JsonValue]


class Matched(Read):
    match: Match


class Reserved(Matched):
    reservation: dict[str, JsonValue]


class Weighed(Reserved):
    spending: Spending


class Decided(Weighed):
    proposal: Proposal
    receipt: dict[str, JsonValue] | None
    problem: Problem | None
    drift: Drift | None


class Result(TypedDict):
    """Output: how the case ended."""

    outcome: Outcome
    summary: str
