"""What is known of a conversation, stage by stage. JSON-native: this is what checkpoints hold."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal
from nodes.agent import Move, Spoken
from nodes.effect import Drift
from nodes.recovery import Problem

Desk = Literal["identify", "general", "reservation", "disrupted"]
"""Which tools are on offer: it follows from what was last read, never from what a model says."""
Outcome = Literal["completed", "handed_off", "expired"]


class Message(TypedDict):
    """Input: what the customer says first."""

    message: Annotated[str, Field(min_length=1, max_length=4000)]


class Records(TypedDict):
    """What a proposed change is worked out from, as it was read for that."""

    profile: dict[str, JsonValue]
    reservation: dict[str, JsonValue] | None
    flights: list[dict[str, JsonValue]]


class State(Message):
    """Every channel; a stage's own parameter type says which of them it needs."""

    conversation: NotRequired[list[Spoken]]
    desk: NotRequired[Desk]
    customer_id: NotRequired[str]
    """Who was found, for routing; what policy goes by is what the ledger says."""
    move: NotRequired[Move]
    turns: NotRequired[int]
    answered_by: NotRequired[str]
    records: NotRequired[Records | None]
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    confirmed: NotRequired[bool]
    receipt: NotRequired[dict[str, JsonValue] | None]
    done: NotRequired[list[str]]
    drift: NotRequired[Drift | None]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[Outcome]
    summary: NotRequired[str]
    reply_draft: NotRequired[str]


class Opened(Message):
    conversation: list[Spoken]
    desk: Desk
    customer_id: str
    turns: int
    done: list[str]


class Moved(Opened):
    move: Move
    answered_by: str
    problem: Problem | None


class Weighed(Moved):
    records: Records | None


class Proposed(Weighed):
    proposal: Proposal
    decision: Decision | None
    confirmed: bool
    receipt: dict[str, JsonValue] | None
    drift: Drift | None


class Result(TypedDict):
    """Output: how the case ended."""

    outcome: Outcome
    summary: str
    reply_draft: str
    """The assistant's last word to the customer, for whoever sends it; empty when there was none."""
