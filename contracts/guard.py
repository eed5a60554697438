"""What a guard says of text, data or a call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from contracts.tool import AnyTool


@dataclass(frozen=True)
class Judgement:
    """`pass`: use the text as it is; `redact`: use `text`, which lacks the findings; `block`: do not use it."""

    verdict: Literal["pass", "redact", "block"]
    text: str
    findings: tuple[str, ...] = ()


Guard = Callable[[str], Judgement]
"""A guard over one text that needs nothing else."""


@dataclass(frozen=True)
class Finished:
    """An earlier call of the same case that was carried out, as the ledger has it."""

    tool: str
    args: dict[str, JsonValue]
    result: JsonValue


@dataclass(frozen=True)
class GuardedCall:
    """A call that is proposed, and where its values may come from."""

    tool: AnyTool
    args: Mapping[str, JsonValue]
    said: tuple[str, ...] = ()
    """The requester's own words in this thread, oldest first."""
    told: tuple[str, ...] = ()
    """What else came in with the case: text that somebody else may have written."""
    past: Sequence[Finished] = ()
    """The thread's finished calls, oldest first."""
    tools: Mapping[str, AnyTool] = field(default_factory=dict)
    """The contracts of the calls in `past`, by name."""
    stained: frozenset[str] = frozenset()
    """Of the values in `args`, folded: those that a case has proposed before though they came from nowhere trusted."""
    used_before: frozenset[str] = frozenset()
    """Of the recipients and payees in `args`, folded: those to whom an effect of this tool went before."""


FindingKind = Literal["trusted", "untrusted", "unintended", "link", "private", "pair", "repeated", "first_seen"]
"""What a call guard finds.

- `trusted`: no reason for anything: where the value of a sink comes from, for the card.
- `untrusted`: a sink holds a value that neither the requester nor a trusted field gave.
- `unintended`: a recipient or payee is known, and nothing that the requester said leads to it.
- `link`: text for others leads to a place that nobody trusted named.
- `private`: what is not for outsiders would go to them.
- `pair`: an amount does not belong to whom it would go.
- `repeated`: the same was paid to the same before, in this case.
- `first_seen`: nobody has ever paid anything there.
"""


@dataclass(frozen=True)
class Finding:
    """One reason to ask a person, or to refuse."""

    kind: FindingKind
    argument: str
    says: str
    """One sentence for a reviewer, without the value where it is private."""
    stains: bool = False
    """Whether others wrote the value: then no later case trusts it, whatever field shows it."""


CallGuard = Callable[[GuardedCall], tuple[Finding, ...]]
"""A guard over a call. Pure: everything that it may look at is in the call."""
