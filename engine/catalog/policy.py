"""Judges an action by a workflow's policy: deny beats require_approval beats allow, and silence denies."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.policy import Condition, Operator, Policy, Rule, Verdict

_SILENCE = Verdict("deny", "silence", "No rule of this workflow's policy speaks of this action, so it is denied.")


def policy_version(policy: Policy) -> str:
    """First 12 hex digits of SHA-256 over the policy's values; functions count by name, their code by the version."""
    tools = [(tool.name, tool.version) for tool in policy.tools]
    functions = [*policy.input_guards, *policy.measures.values()]
    values = replace(policy, tools=(), input_guards=(), measures={})
    return hashlib.sha256(repr((tools, [f.__qualname__ for f in functions], values)).encode()).hexdigest()[:12]


def facts_of(policy: Policy, tool: str, args: JsonObject, stated: JsonObject) -> JsonObject:
    """What policy looks at: the draft's facts, the arguments over them, and over both what is measured of these.

    What cannot be measured is missing, and a missing fact never opens a gate.
    """
    measure = policy.measures.get(tool)
    try:
        return stated | args | (measure(args, stated) if measure else {})
    except (KeyError, TypeError, ValueError):
        return stated | args


def judge(policy: Policy, tool: str, facts: JsonObject) -> Verdict:
    """What policy says of calling `tool` under `facts` (arguments included), with the rule that said it.

    A rule whose facts are missing or of another type counts as fired when it denies or asks, as silent when it allows:
    what is not known never opens a gate.
    """
    rules = [rule for rule in policy.rules if rule.tool == tool]
    for verdict in ("deny", "require_approval", "allow"):
        fired = [rule for rule in rules if rule.verdict == verdict and _fires(rule, facts)]
        if fired:
            return _verdict(fired, facts)
    return replace(_SILENCE, inputs=facts)


def _verdict(fired: list[Rule], facts: JsonObject) -> Verdict:
    # The catalog refuses policies in which the largest quorum would leave out anybody whom another rule asks.
    quorum = max((rule.quorum for rule in fired), key=lambda quorum: quorum.needed)
    within_s = min(rule.within_s for rule in fired)
    rule_ids, reasons = ", ".join(rule.id for rule in fired), " ".join(rule.why for rule in fired)
    return Verdict(fired[0].verdict, rule_ids, reasons, quorum, within_s, facts)


def _fires(rule: Rule, facts: JsonObject) -> bool:
    unknown = rule.verdict != "allow"
    return all(_holds(condition, facts, unknown=unknown) for condition in rule.when)


def _holds(condition: Condition, facts: JsonObject, *, unknown: bool) -> bool:
    if condition.fact not in facts:
        return unknown
    try:
        return _COMPARE[condition.operator](facts[condition.fact], condition.value)
    except TypeError:
        return unknown


def _number(value: JsonValue) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _not_among(fact: JsonValue, values: JsonValue) -> bool:
    return isinstance(values, list) and fact not in values


_COMPARE: dict[Operator, Callable[[JsonValue, JsonValue], bool]] = {
    "above": lambda fact, value: _number(fact) > _number(value),
    "at_most": lambda fact, value: _number(fact) <= _number(value),
    "equals": lambda fact, value: fact == value,
    "differs": lambda fact, value: fact != value,
    "not_among": _not_among,
}
