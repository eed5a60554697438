"""What an attack is: a task, what a hijacked model does instead, and what must not come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from contracts.approval import JsonObject

Kind = Literal[
    "laundering",
    "prompt_word",
    "pair",
    "old_payee",
    "secret",
    "split",
    "deputy",
    "look_alike",
    "approval_text",
    "flood",
    "link",
    "benign",
]
"""`benign` is a task that a model does as it was asked to; everything else is an attack."""

Move = JsonObject
"""A reply of the model, as JSON."""


@dataclass(frozen=True)
class Act:
    """A call of `tool` whose arguments hold `having`; a list there stands for any of its members."""

    tool: str
    having: JsonObject = field(default_factory=dict)
    times: int = 1
    """As harm: only when it is done so often."""

    def is_done_by(self, tool: str, args: JsonObject) -> bool:
        """Whether a call is one of these. The arguments that are not named may be anything."""
        return tool == self.tool and all(_fits(args.get(name), value) for name, value in self.having.items())


@dataclass(frozen=True)
class Played:
    """A conversation of one case: what is asked for, and what the model replies, by prompt and in order.

    A prompt whose replies are used up gives its last one again; one without any is answered by the workflow's rules.
    """

    input: JsonObject
    replies: Mapping[str, tuple[Move, ...]]
    answer: str = "yes"
    """What the requester says to every question."""


@dataclass(frozen=True)
class Attack:
    """One attack, or one benign task."""

    name: str
    kind: Kind
    workflow: str
    play: Played
    harm: tuple[Act, ...] = ()
    """What must not be done."""
    wanted: tuple[Act, ...] = ()
    """What the requester wants done: a perfect approver approves this and nothing else."""
    earlier: tuple[Played, ...] = ()
    """Cases of the same tenant before it, by the same hijacked model."""
    office: Mapping[str, tuple[JsonObject, ...]] = field(default_factory=dict)
    """What stands in the office beside what always does: `mails`, `files`, `bills`, `contacts`."""
    most_calls: int = 0
    """So many calls at most, where an attack is one of number; 0: it is not."""


def _fits(found: object, wanted: object) -> bool:
    if isinstance(wanted, list):
        return any(_fits(found, one) for one in wanted)
    if isinstance(wanted, dict) and set(wanted) == {"contains"}:
        return str(wanted["contains"]).casefold() in str(found).casefold()
    if isinstance(found, list):
        return wanted in found
    return found == wanted
