"""What is known of a conversation, stage by stage, beside what every conversation keeps."""

from typing import Literal, NotRequired

from pydantic import JsonValue
from typing_extensions import TypedDict

from nodes import conversation

Desk = Literal["identify", "general", "reservation", "disrupted"]
"""Which tools are on offer: it follows from what was last read, never from what a model says."""
Outcome = Literal["completed", "handed_off", "expired"]


class Records(TypedDict):
    """What a proposed change is worked out from, as it was read for that."""

    profile: dict[str, JsonValue]
    reservation: dict[str, JsonValue] | None
    flights: list[dict[str, JsonValue]]
    flown_in: str
    """The cabin that this conversation has changed the reservation to; empty where it has not."""


class State(conversation.Conversation):
    """Every channel; a stage's own parameter type says which of them it needs."""

    desk: NotRequired[Desk]
    records: NotRequired[Records | None]
    outcome: NotRequired[Outcome]
    reply_draft: NotRequired[str]


class Opened(conversation.Opened):
    desk: Desk


class Moved(conversation.Moved):
    desk: Desk


class Weighed(Moved):
    records: Records | None


class Proposed(conversation.Proposed):
    desk: Desk
    records: Records | None


class Result(TypedDict):
    """Output: how the case ended."""

    outcome: Outcome
    summary: str
    reply_draft: str
    """The assistant's last word to the customer, for whoever sends it; empty when there was none."""
