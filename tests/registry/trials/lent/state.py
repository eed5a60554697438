"""What is known at the gate."""

from typing import NotRequired

from pydantic import JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal
from nodes.recovery import Problem


class Asked(TypedDict):
    case: str
    number: int
    """Above 10 a person decides."""


class State(Asked):
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[str]
    summary: NotRequired[str]
