"""What is known of a conversation with an assistant, stage by stage. JSON-native: this is what checkpoints hold."""

from typing import Annotated, NotRequired

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Proposal
from nodes.agent import Move, Spoken
from nodes.effect import Drift
from nodes.recovery import Problem


class Message(TypedDict):
    """Input: what the customer says first."""

    message: Annotated[str, Field(min_length=1, max_length=4000)]


class Conversation(Message):
    """The channels of every such workflow. Its own add which `desk` is open, and what a change is weighed by."""

    conversation: NotRequired[list[Spoken]]
    customer_id: NotRequired[str]
    """Who was found, for routing; what policy goes by is what the ledger says."""
    move: NotRequired[Move]
    turns: NotRequired[int]
    answered_by: NotRequired[str]
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    confirmed: NotRequired[bool]
    receipt: NotRequired[dict[str, JsonValue] | None]
    done: NotRequired[list[str]]
    drift: NotRequired[Drift | None]
    problem: NotRequired[Problem | None]
    summary: NotRequired[str]


class Opened(Message):
    conversation: list[Spoken]
    customer_id: str
    turns: int
    done: list[str]


class Moved(Opened):
    move: Move
    answered_by: str
    problem: Problem | None


class Proposed(Moved):
    proposal: Proposal
    decision: Decision | None
    confirmed: bool
    receipt: dict[str, JsonValue] | None
    drift: Drift | None


FORGOTTEN = ("records", "proposal", "decision", "receipt", "drift")
"""What is over with a change, whatever became of it."""


async def open_case(state: Message) -> dict[str, object]:
    """Forget what an earlier case on the same thread left behind: whoever writes now is identified anew."""
    said: list[Spoken] = [{"who": "requester", "says": state["message"]}]
    empty = {"conversation": said, "desk": "identify", "customer_id": "", "turns": 0, "done": [], "confirmed": False}
    return dict.fromkeys((*FORGOTTEN, "problem")) | empty
