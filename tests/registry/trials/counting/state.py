"""What is known while counting."""

from typing import NotRequired

from pydantic import JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal
from nodes.recovery import Problem


class Asked(TypedDict):
    case: str
    effects: int
    """How many effects, from 1; odd ones are `counter.add`, even ones `counter.press`."""


class State(Asked):
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    """The last effect's; none before the first."""
    problem: NotRequired[Problem | None]
    outcome: NotRequired[str]
    summary: NotRequired[str]
