"""What an engine of policies is asked and answers, and what is known of each policy. No engine is named here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from contracts.approval import JsonObject
from contracts.policy import NOBODY, Quorum, VerdictType

Said = Literal["allow", "deny", "nothing"]


@dataclass(frozen=True)
class Known:
    """One policy: what it says when it fires."""

    id: str
    verdict: VerdictType
    why: str
    quorum: Quorum = NOBODY
    within_s: int = 0
    reads: frozenset[str] = frozenset()
    """Facts without which it counts as fired, unless it allows: what is not known opens no gate."""


@dataclass(frozen=True)
class Answer:
    """What an engine says of one request."""

    said: Said
    fired: tuple[str, ...]
    """Policies that held, and those against it that could not be judged because a fact that they read is missing."""
    errors: tuple[str, ...] = ()
    """Policies that could not be evaluated. One that was skipped may have been the one that denies."""


class PolicyEngine(Protocol):
    """Evaluates the policies of one workflow, parsed once."""

    @property
    def known(self) -> Mapping[str, Mapping[str, Known]]:
        """By tool and id, in the order in which they are told."""
        ...

    def authorize(self, tool: str, target: str, facts: JsonObject, approved: tuple[str, ...]) -> Answer:
        """Ask whether `tool` may act on `target`; `approved` are the quorums that are taken to have agreed."""
        ...
