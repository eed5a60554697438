"""What is known at the two gates: each has keys of its own."""

from typing import NotRequired

from pydantic import JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal


class Asked(TypedDict):
    case: str


class State(Asked):
    first: NotRequired[Proposal]
    first_decision: NotRequired[Decision]
    first_receipt: NotRequired[dict[str, JsonValue]]
    second: NotRequired[Proposal]
    second_decision: NotRequired[Decision]
    second_receipt: NotRequired[dict[str, JsonValue]]
    outcome: NotRequired[str]
