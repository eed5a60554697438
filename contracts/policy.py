"""What a workflow is allowed to do: tools, rules, roles, limits and who answers for it. Values only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import JsonValue

from contracts.guard import CallGuard, FindingKind, Finished, Guard
from contracts.tool import AnyTool

VerdictType = Literal["allow", "deny", "require_approval"]
Operator = Literal["above", "at_most", "equals", "differs", "not_among", "contains"]
FactType = Literal["text", "whole", "decimal", "flag", "texts"]
"""What a fact is: `decimal` is a string such as `100.00`, with at most four places; there is no floating point."""

HOST, SEEN = "host_", "seen_"
"""How facts begin that only the engine states: what it knows of the run, and what the case's own calls have shown.

What a draft, an argument or a measure says under such a name is dropped.
"""


@dataclass(frozen=True)
class Condition:
    """One comparison of a fact with a constant.

    A fact that is missing, or of another type than the constant, fires every rule that denies or asks and none that
    allows.
    """

    fact: str
    operator: Operator
    value: JsonValue


def above(fact: str, value: int | str) -> Condition:
    """A whole number, or a sum of money as a decimal string: `above("amount", "100.00")`."""
    return Condition(fact, "above", value)


def at_most(fact: str, value: int | str) -> Condition:
    """A whole number, or a sum of money as a decimal string."""
    return Condition(fact, "at_most", value)


def equals(fact: str, value: JsonValue) -> Condition:
    return Condition(fact, "equals", value)


def differs(fact: str, value: JsonValue) -> Condition:
    return Condition(fact, "differs", value)


def not_among(fact: str, *values: JsonValue) -> Condition:
    return Condition(fact, "not_among", list(values))


def contains(fact: str, value: str) -> Condition:
    """Of a fact that is a list of texts: whether `value` is among them."""
    return Condition(fact, "contains", value)


@dataclass(frozen=True)
class Quorum:
    """Who has to approve: `needed` different people, each in a seat of their own, one seat for each of `roles`.

    A person sits only where they hold the role, and in one seat, whatever else they hold. A role that stands twice has
    two seats.
    """

    roles: tuple[str, ...]
    needed: int = 1
    always: tuple[str, ...] = ()
    """Roles whose seat must be among those that approve."""

    def covers(self, other: "Quorum") -> bool:
        """Whether whoever satisfies this one asks no fewer people, and nobody less, than `other` does."""
        return self == other or (
            self.needed > other.needed and set(self.roles) >= set(other.roles) and set(self.always) >= set(other.always)
        )

    def said(self) -> str:
        """As reviewers read it: `finance`, `2 of manager, finance, director (finance among them)`."""
        if self.needed == 1 and len(self.roles) == 1:
            return self.roles[0]
        among = f" ({', '.join(self.always)} among them)" if self.always else ""
        return f"{self.needed} of {', '.join(self.roles)}{among}"


NOBODY = Quorum((), 0)
"""Nobody is asked."""


@dataclass(frozen=True)
class Rule:
    """`verdict` for `tool` when every condition holds. Deny beats require_approval beats allow; silence denies."""

    id: str
    tool: str
    verdict: VerdictType
    when: tuple[Condition, ...]
    why: str
    """One sentence a reviewer understands."""
    quorum: Quorum = NOBODY
    within_s: int = 0
    waivable: bool = False
    """Asks nobody while the workflow works in the mode `auto`."""


def allow(rule_id: str, tool: str, *when: Condition, why: str) -> Rule:
    return Rule(rule_id, tool, "allow", when, why)


def deny(rule_id: str, tool: str, *when: Condition, why: str) -> Rule:
    return Rule(rule_id, tool, "deny", when, why)


Bound = tuple[str, JsonValue, str]
"""A fact that the case's own calls show, the value it must have, and why."""


def deny_unless(tool: str, name: str, *bounds: Bound) -> tuple[Rule, ...]:
    """One denial for each bound, called `name-unless-` and the fact."""
    return tuple(
        deny(f"{name}-unless-{fact.replace('_', '-')}", tool, differs(f"{SEEN}{fact}", value), why=why)
        for fact, value, why in bounds
    )


def require_approval(  # a declaration: every argument is a keyword
    rule_id: str,
    tool: str,
    *when: Condition,
    role: str = "",
    quorum: Quorum = NOBODY,
    within_s: int,
    why: str,
) -> Rule:
    """One person of `role`, or a `quorum`, must approve within `within_s` seconds; then it expires, which means reject.

    Where several rules ask, the one that wants the most people binds, within the shortest time.
    """
    return Rule(rule_id, tool, "require_approval", when, why, quorum if quorum.roles else Quorum((role,)), within_s)


def waivable(rule: Rule) -> Rule:
    """A rule that asks, but nobody while the workflow works in the mode `auto`."""
    return replace(rule, waivable=True)


@dataclass(frozen=True)
class Waiver:
    """Why nobody needs to be asked about a tool of a gate class."""

    tool: str
    why: str
    """For who audits it."""


def waive(tool: str, *, why: str) -> Waiver:
    """`tool` is of a gate class, and this policy's rules say all that there is to say about it: no person is needed."""
    return Waiver(tool, why)


Measure = Callable[[dict[str, JsonValue], dict[str, JsonValue]], dict[str, JsonValue]]
"""Facts that depend on the arguments: `(arguments, facts of the draft) -> facts`. Pure, and run for edits, too."""


Evidence = Callable[[dict[str, JsonValue], Sequence[Finished]], dict[str, JsonValue]]
"""Facts that the case's own calls show: `(arguments, finished calls, oldest first) -> facts`. Pure.

No model and no edited state can forge them. Rules read them under names that begin with `seen_`.
"""


@dataclass(frozen=True)
class Verdict:
    """What policy says of one action, and why: stored with the request."""

    type: VerdictType
    rule: str
    why: str
    quorum: Quorum = NOBODY
    within_s: int = 0
    inputs: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Cap:
    """What may be used at most; 0, or no currency: as much as anybody likes. What is under way counts as used."""

    tool_calls: int = 0
    model_calls: int = 0
    tokens: int = 0
    """Of models, read and written."""
    seconds: int = 0
    """That calls of tools and models take, all together."""
    money: Mapping[str, int] = field(default_factory=dict)
    """Minor units by currency, of what tools name as their sum. No currency counts for another; where one is named, the
    others may not be used at all."""
    model_cost: Mapping[str, int] = field(default_factory=dict)
    """Millionths of a unit by currency, of what models cost where their route names a price in it."""


NO_CAP = Cap()


@dataclass(frozen=True)
class Budget:
    """Hard limits of one case, and of all cases of the workflow together."""

    tool_calls: int
    model_calls: int
    seconds: int
    """That one run may work."""
    case: Cap = NO_CAP
    """What else one case may use."""
    day: Cap = NO_CAP
    """What all cases of the workflow in a tenant may use in a day."""
    tools: Mapping[str, Cap] = field(default_factory=dict)
    """By tool: what one case may use of it."""
    tools_day: Mapping[str, Cap] = field(default_factory=dict)
    """By tool: what all cases may use of it in a day."""
    timezone: str = "UTC"
    """IANA name: where the day begins."""
    per_minute: int = 0
    """Calls of tools and models by all cases together in any minute; 0: any number."""
    iterations: int = 10
    """How often one run may come back to the same model stage without an end."""
    same_failure: int = 3
    """How often the same call may fail in a case."""
    same_call: int = 10
    """How often the same read may be made in a case."""


@dataclass(frozen=True)
class Hours:
    """When reviewers work: outside of it no time of review passes."""

    timezone: str
    """IANA name, as in `Europe/Berlin`."""
    opens: str = "09:00"
    closes: str = "17:00"
    """Local wall-clock times `HH:MM`; `24:00` is the end of the day."""
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Weekdays, Monday is 0."""
    closed_on: tuple[str, ...] = ()
    """ISO dates on which nobody works."""


@dataclass(frozen=True)
class Level:
    """One step up the chain: who may decide, too, once a request has waited `after_s` seconds of review."""

    to: str
    """How people call it: `group`, `owner`, `on call`."""
    after_s: int
    role: str = ""
    """Whose holders may sit in any seat from then on; empty: nobody else, but whoever had claimed it has it no more."""


@dataclass(frozen=True)
class Queue:
    """Where a workflow's requests are reviewed. Times in seconds of review, from when a request is asked."""

    name: str
    target_s: int
    """Until when a request is to be decided: its due time."""
    warn_s: int = 0
    """When reviewers are warned; 0: after three quarters of the target."""
    breach_s: int = 0
    """When the agreement is broken; 0: with the target."""
    escalation: tuple[Level, ...] = ()
    """In order of `after_s`."""
    hours: Hours | None = None
    """None: around the clock."""
    capacity: int = 0
    """How many cases may wait or be on their way here; then no new one is taken. 0: any number."""
    oldest_s: int = 0
    """How long the oldest may wait before no new case is taken; 0: for ever."""
    grace_s: int = 0
    """How long after it was done a reviewer may take back what has a compensation; 0: not at all."""


GUARD_ASKS, GUARD_DENIES = "host_guard_asks", "host_guard_denies"


@dataclass(frozen=True)
class Guarded:
    """Who looks at calls of tools that have sinks, and what becomes of a call in which they find something."""

    guards: tuple[CallGuard, ...]
    says: tuple[str, ...]
    """Input fields that hold the requester's own words. What stands in the others may be somebody else's."""
    within_s: int
    role: str = ""
    """Who is asked about a tool for which no rule asks anybody; the fewest whom a rule asks are asked otherwise."""
    denies: tuple[FindingKind, ...] = ("private", "link")
    """What nobody can agree to."""
    unchecked: Mapping[str, str] = field(default_factory=dict)
    """`system.operation.argument`, and why what is found there counts for nothing: what else makes sure of it."""

    def rules(self, tool: AnyTool, beside: tuple[Rule, ...]) -> tuple[Rule, Rule]:
        """What becomes of a call of `tool`, as rules like those `beside` them."""
        denied = deny(
            f"guards-refuse-{tool.name}",
            tool.name,
            differs(GUARD_DENIES, False),
            why="A guard has found what this call must not carry.",
        )
        asking = [rule.quorum for rule in beside if rule.tool == tool.name and rule.verdict == "require_approval"]
        who = min(asking, key=lambda quorum: quorum.needed, default=Quorum((self.role,)))
        asked = require_approval(
            f"guards-ask-{tool.name}",
            tool.name,
            differs(GUARD_ASKS, False),
            quorum=who,
            within_s=self.within_s,
            why="A guard has found what a person has to look at.",
        )
        return denied, asked


@dataclass(frozen=True)
class Duties:
    """Who has each of the five duties of an owner: people or groups, by the name under which they are found."""

    prompts: str
    """Keeps the prompts, and reads the recorded replies again after a change."""
    rules: str
    """Keeps the rules, limits and roles of the policy."""
    tool_access: str
    """Says which tools and scopes it has."""
    monitoring: str
    """Looks at its outcomes, errors and costs."""
    escalation: str
    """Takes what nobody else decides in time."""
    review_due: str
    """ISO date until which all of this is to be looked at again."""


@dataclass(frozen=True)
class Policy:
    """Everything a workflow may do and who answers for it."""

    owner: str
    purpose: str
    tools: tuple[AnyTool, ...]
    rules: tuple[Rule, ...]
    budget: Budget
    queue: Queue
    roles: tuple[str, ...] = ()
    """Roles that the rules and the escalation may ask for."""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    """By tool: what policy has to know of the arguments beside their values."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    """By tool: what policy has to know of what the case has done before."""
    facts: Mapping[str, Mapping[str, FactType]] = field(default_factory=dict)
    """By tool: facts that only hand-written Cedar reads, with their types; those of rules and arguments are known."""
    confirmed: tuple[str, ...] = ()
    """Tools whose calls the requester must have confirmed: they were shown exactly that action, and answered `yes`."""
    waivers: tuple[Waiver, ...] = ()
    """Tools of a gate class about which no rule asks, or only rules that the mode `auto` passes by."""
    input_guards: tuple[Guard, ...] = ()
    """Applied in this order to every text that comes from outside, before anything of it is stored."""
    guarded: Guarded | None = None
    """Required of a workflow whose tools have sinks. Its rules stand among `rules`."""
    success: str = ""
    """What it is measured by once it is live, and what must be reached: nothing goes live without."""
    # No call is judged by these two, so they are a part of the workflow's version and not of the policy's.
    duties: Duties | None = field(default=None, repr=False)
    """Nothing goes live without somebody for each."""
    data_class: str = field(default="", repr=False)
    """Only models whose route has this tag see its cases' data; empty: no tag is wanted."""

    def __post_init__(self) -> None:
        taken = {rule.id for rule in self.rules}
        tools = [tool for tool in self.tools if tool.sinks] if self.guarded else []
        found = [
            rule
            for tool in tools
            if self.guarded
            for rule in self.guarded.rules(tool, self.rules)
            if rule.id not in taken
        ]
        object.__setattr__(self, "rules", (*self.rules, *found))

    @property
    def callable_tools(self) -> tuple[AnyTool, ...]:
        """The tools, and those that take back what they did: these are called for people only, never by a stage."""
        undoing = (tool.compensation.tool for tool in self.tools if tool.compensation)
        return tuple(dict.fromkeys((*self.tools, *undoing)))
