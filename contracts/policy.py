"""What a workflow is allowed to do: tools, rules, roles, limits and who answers for it. Values only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from contracts.guard import Guard
from contracts.tool import AnyTool

VerdictType = Literal["allow", "deny", "require_approval"]
Operator = Literal["above", "at_most", "equals", "differs", "not_among"]


@dataclass(frozen=True)
class Condition:
    """One comparison of a fact with a constant. A fact that is missing fires every deny and no allow."""

    fact: str
    operator: Operator
    value: JsonValue


def above(fact: str, value: int) -> Condition:
    return Condition(fact, "above", value)


def at_most(fact: str, value: int) -> Condition:
    return Condition(fact, "at_most", value)


def equals(fact: str, value: JsonValue) -> Condition:
    return Condition(fact, "equals", value)


def differs(fact: str, value: JsonValue) -> Condition:
    return Condition(fact, "differs", value)


def not_among(fact: str, *values: JsonValue) -> Condition:
    return Condition(fact, "not_among", list(values))


@dataclass(frozen=True)
class Rule:
    """`verdict` for `tool` when every condition holds. Deny beats require_approval beats allow; silence denies."""

    id: str
    tool: str
    verdict: VerdictType
    when: tuple[Condition, ...]
    why: str
    """One sentence a reviewer understands."""
    role: str = ""
    within_s: int = 0


def allow(rule_id: str, tool: str, *when: Condition, why: str) -> Rule:
    return Rule(rule_id, tool, "allow", when, why)


def deny(rule_id: str, tool: str, *when: Condition, why: str) -> Rule:
    return Rule(rule_id, tool, "deny", when, why)


def require_approval(rule_id: str, tool: str, *when: Condition, role: str, within_s: int, why: str) -> Rule:
    """`role` must decide within `within_s` seconds; after that the request expires, which means reject."""
    return Rule(rule_id, tool, "require_approval", when, why, role, within_s)


Measure = Callable[[dict[str, JsonValue], dict[str, JsonValue]], dict[str, JsonValue]]
"""Facts that depend on the arguments: `(arguments, facts of the draft) -> facts`. Pure, and run for edits, too."""


@dataclass(frozen=True)
class Verdict:
    """What policy says of one action, and why: stored with the request."""

    type: VerdictType
    rule: str
    why: str
    role: str = ""
    within_s: int = 0
    inputs: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Budget:
    """Hard limits of one run."""

    tool_calls: int
    model_calls: int
    seconds: int


@dataclass(frozen=True)
class Queue:
    """Where a workflow's requests are reviewed. Times in seconds of review."""

    name: str
    target_s: int


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
    """Roles that the rules may ask for."""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    """By tool: what policy has to know of the arguments beside their values."""
    input_guards: tuple[Guard, ...] = ()
    """Applied in this order to every text that comes from outside, before anything of it is stored."""
