"""Where a tool call can do harm: arguments that say to whom, where or how much. And how often it may be made."""

from dataclasses import dataclass
from typing import Literal

SinkKind = Literal["recipient", "payee", "identifier", "url", "amount", "secret", "content"]
"""What an argument decides: who is written to, who is paid, what is acted on, what is fetched or linked to, how much,
a credential that is set; `content` is text that others will read."""

Reach = Literal["inside", "customer", "outside"]
"""Who sees what a call carries: our own people, the customer of the case too, or anybody."""


@dataclass(frozen=True)
class Sink:
    """A request field that decides what a call does. Its value must come from the requester or a trusted field."""

    kind: SinkKind
    nouns: tuple[str, ...] = ()
    """What people call it, as in `order`: a bare short number counts as the requester's only beside one of these."""
    paired_with: str = ""
    """`amount`: the request field of who or what it belongs to; both must come from one record."""


@dataclass(frozen=True)
class Limits:
    """How often a tool may be called; 0: as often as anybody likes."""

    per_minute: int = 0
    """By all workers together, for one tenant."""
    at_once: int = 0
    """Calls under way at the same time, of one tenant."""
    per_case: int = 0
    """Over all legs of one case."""


NO_LIMITS = Limits()
