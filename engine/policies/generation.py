"""Cedar's text and schema, made from a workflow's POLICY and the contracts of its tools. Pure: the same each time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from contracts.policy import Condition, Policy, Quorum, Rule
from contracts.tool import AnyTool
from engine.policies.kinds import APPROVED, MODE, Kind, Kinds, is_decimal, kinds_of, with_places
from engine.policies.model import Known

READ = "read-granted"
NO_EFFECT, ONLY_READS, ALL_ASK = "mode-shadow", "mode-read-only", "mode-approve-all"
ACTING_MODES = ("approve_all", "thresholds", "auto")
_AGREED = "approved"
_DAY_S = 86_400
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = {"if", "then", "else", "true", "false", "in", "like", "has", "is", "__cedar"}


@dataclass(frozen=True)
class Written:
    """One generated policy and what is known of it."""

    known: Known
    text: str
    reads: frozenset[str] = frozenset()
    """Facts that its rule compares."""
    agreed: bool = False
    """Whether only an approval makes it fire."""


def schema_of(policy: Policy) -> str:
    """The schema of every action that the policy lists. Raises `ConfigurationError` as `kinds_of` does."""
    actions = [_action(tool, kinds_of(policy, tool)) for tool in policy.tools]
    return "\n".join(["entity Agent;", "entity Target;", *actions, ""])


def policies_of(policy: Policy, tool: AnyTool) -> Iterator[Written]:
    """The policies of one tool: what denies first, then what asks, then what allows, as they are told."""
    kinds, rules = kinds_of(policy, tool), [rule for rule in policy.rules if rule.tool == tool.name]
    ordered = [rule for verdict in ("deny", "require_approval", "allow") for rule in rules if rule.verdict == verdict]
    for rule in ordered:
        reads = frozenset(condition.fact for condition in rule.when)
        yield from (replace(written, reads=reads) for written in _of_rule(rule, kinds))
    if tool.writes:
        yield from _of_modes(tool, _least_asked(policy, rules))
    else:
        yield _written(Known(READ, "allow", "A stage that is granted a read may make it."), _permit(tool.name), [])


def quoted(text: str) -> str:
    """A string literal of Cedar."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() and letter.isascii() else f"\\u{{{ord(letter):x}}}"


def _action(tool: AnyTool, kinds: Kinds) -> str:
    # The engine always says who has approved and in which mode; anything else may be missing.
    stated = [f"  {quoted(name)}{'' if name in (APPROVED, MODE) else '?'}: {kind}" for name, kind in kinds.items()]
    context = ",\n".join(stated)
    who = "principal: [Agent], resource: [Target]"
    return f"action {quoted(tool.name)} appliesTo {{ {who}, context: {{\n{context}\n}} }};"


def _of_rule(rule: Rule, kinds: Kinds) -> Iterator[Written]:
    known = Known(rule.id, rule.verdict, rule.why, rule.quorum, rule.within_s)
    match rule.verdict:
        case "allow":
            yield _written(known, _permit(rule.tool), [_holds(one, kinds, unknown=False) for one in rule.when])
        case "deny":
            yield _written(known, _forbid(rule.tool), [_holds(one, kinds, unknown=True) for one in rule.when])
        case "require_approval":
            conditions = [_holds(one, kinds, unknown=True) for one in rule.when]
            agreed = _approved(rule.quorum)
            yield _written(known, _forbid(rule.tool), conditions, _or_auto(agreed, auto=rule.waivable))
            yield _then_allowed(known, rule, [*conditions, agreed], _AGREED, "It was approved.")
            if rule.waivable:
                why = f"In the mode auto nobody is asked: {rule.why}"
                yield _then_allowed(known, rule, [*conditions, f'context.{MODE} == "auto"'], "auto", why)


def _then_allowed(known: Known, rule: Rule, conditions: Sequence[str], name: str, why: str) -> Written:
    """What a rule asks for is permitted by the answer, and needs no second rule that allows it."""
    allowing = Known(f"{known.id}/{name}", "allow", why)
    return replace(_written(allowing, _permit(rule.tool), conditions), agreed=name == _AGREED)


def _or_auto(agreed: str, *, auto: bool) -> str:
    return f'{agreed} || context.{MODE} == "auto"' if auto else agreed


def _of_modes(tool: AnyTool, asked: tuple[Quorum, int]) -> Iterator[Written]:
    quorum, within_s = asked
    shadow = Known(NO_EFFECT, "deny", "The workflow works in the mode shadow: it shows what it would do.")
    yield _written(shadow, _forbid(tool.name), [f'context.{MODE} == "shadow"'])
    acting = ", ".join(map(quoted, ACTING_MODES))
    reading = Known(ONLY_READS, "deny", "The workflow works in a mode in which it only reads.")
    shadowless = f'!([{acting}, "shadow"].contains(context.{MODE}))'
    yield _written(reading, _forbid(tool.name), [shadowless])
    everything = f'context.{MODE} == "approve_all"'
    if quorum.needed:
        why = "The workflow works in the mode approve_all: a person agrees to every change."
        asking = Known(ALL_ASK, "require_approval", why, quorum, within_s)
        yield _written(asking, _forbid(tool.name), [everything], _approved(quorum))
    else:
        why = "In the mode approve_all a person agrees to every change, and this workflow names no role to ask."
        yield _written(Known(ALL_ASK, "deny", why), _forbid(tool.name), [everything])


def _least_asked(policy: Policy, rules: Sequence[Rule]) -> tuple[Quorum, int]:
    """Who is asked where no rule says it: the fewest whom a rule for this tool asks, else the policy's first role."""
    asking = [rule for rule in rules if rule.verdict == "require_approval"]
    if asking:
        least = min(asking, key=lambda rule: rule.quorum.needed)
        return least.quorum, max(rule.within_s for rule in asking)
    return (Quorum(policy.roles[:1]), _DAY_S) if policy.roles else (Quorum((), 0), 0)


def _written(known: Known, effect: str, conditions: Sequence[str], unless: str = "") -> Written:
    notes = {"id": known.id, **_gate(known), "why": known.why}
    lines = [*(f"@{name}({quoted(value)})" for name, value in notes.items()), effect]
    lines += [f"when {{ {condition} }}" for condition in conditions]
    lines += [f"unless {{ {unless} }}"] if unless else []
    return Written(known, "\n".join(lines) + ";")


def _gate(known: Known) -> dict[str, str]:
    if known.verdict != "require_approval":
        return {}
    quorum = known.quorum
    always = {"always": ", ".join(quorum.always)} if quorum.always else {}
    people = {"role": ", ".join(quorum.roles), "quorum": str(quorum.needed), **always}
    return {"gate": "approval", **people, "within": str(known.within_s)}


def _permit(tool: str) -> str:
    return f"permit (principal, action == Action::{quoted(tool)}, resource)"


def _forbid(tool: str) -> str:
    return f"forbid (principal, action == Action::{quoted(tool)}, resource)"


def _approved(quorum: Quorum) -> str:
    return f"context.{APPROVED}.contains({quoted(quorum.said())})"


def _holds(condition: Condition, kinds: Kinds, *, unknown: bool) -> str:
    """What is not known fires what denies or asks, and nothing that allows."""
    name = condition.fact
    plain = _WORD.fullmatch(name) and name not in _RESERVED
    here, there = (name, f"context.{name}") if plain else (quoted(name), f"context[{quoted(name)}]")
    compared = _compared(condition, there, kinds.get(name, Kind.TEXT))
    return f"if context has {here} then {compared} else true" if unknown else f"context has {here} && {compared}"


def _compared(condition: Condition, there: str, kind: Kind) -> str:
    value = condition.value
    match condition.operator:
        case "above":
            return _ordered(there, value, kind, (">", "greaterThan"))
        case "at_most":
            return _ordered(there, value, kind, ("<=", "lessThanOrEqual"))
        case "equals":
            return f"{there} == {_literal(value, kind)}"
        case "differs":
            return f"{there} != {_literal(value, kind)}"
        case "contains":
            return f"{there}.contains({_literal(value, Kind.TEXT)})"
        case "not_among":
            values = [_literal(one, kind) for one in value] if isinstance(value, list) else []
            return f"!([{', '.join(values)}].contains({there}))" if values else "true"


def _ordered(there: str, value: JsonValue, kind: Kind, signs: tuple[str, str]) -> str:
    if kind is Kind.DECIMAL:
        return f"{there}.{signs[1]}({_literal(value, kind)})"
    return f"{there} {signs[0]} {_literal(value, kind)}"


def _literal(value: JsonValue, kind: Kind) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if kind is Kind.DECIMAL and is_decimal(value):
        return f"decimal({quoted(with_places(str(value)))})"
    return quoted(str(value))
