"""What is known at the desk."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal
from nodes.agent import Move, Spoken
from nodes.recovery import Problem


class Task(TypedDict):
    """Input: what somebody of the office wants done, and at which desk: of money, or of papers."""

    task: Annotated[str, Field(min_length=1, max_length=4000)]
    desk: Literal["money", "papers"]


class State(Task):
    conversation: NotRequired[list[Spoken]]
    turns: NotRequired[int]
    move: NotRequired[Move]
    answered_by: NotRequired[str]
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    confirmed: NotRequired[bool]
    receipt: NotRequired[dict[str, JsonValue] | None]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[str]
    summary: NotRequired[str]


class Proposed(Task):
    conversation: list[Spoken]
    move: Move
    proposal: Proposal
    decision: Decision | None
    receipt: dict[str, JsonValue] | None
