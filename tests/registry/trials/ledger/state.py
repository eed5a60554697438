"""What is known while every way of counting is tried."""

from typing import NotRequired

from pydantic import JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal
from nodes.recovery import Problem


class Asked(TypedDict):
    case: str


class State(Asked):
    number: NotRequired[int]
    """Which effect comes next, from 1: its number is also what it counts."""
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[str]
    summary: NotRequired[str]
