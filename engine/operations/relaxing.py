"""A policy in which nobody is asked under some conditions: what changes in its rules, as values and as code. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from contracts.policy import Condition, Policy, Rule, above, allow, differs

_INDENT = "    "


def relaxed(policy: Policy, tool: str, asking: Sequence[str], when: Sequence[Condition], why: str) -> list[Rule]:
    """The rules that stand in place of those named in `asking`, and one that allows: they still ask everywhere else.

    What asks beats what allows, so an allowing rule alone would change nothing. No rule that denies is touched.
    """
    rules = [rule for rule in policy.rules if rule.id in asking and rule.tool == tool]
    narrowed = [narrow for rule in rules for narrow in _narrowed(rule, when)]
    return [*narrowed, allow(f"{asking[0]}-as-seen", tool, *when, why=why)]


def with_rules(policy: Policy, asking: Sequence[str], rules: Sequence[Rule]) -> Policy:
    """The policy with `rules` in place of those named in `asking`."""
    return replace(policy, rules=(*(rule for rule in policy.rules if rule.id not in asking), *rules))


def code_of(rule: Rule) -> str:
    """As it is written in a policy."""
    arguments = [repr_of(rule.id), repr_of(rule.tool), *map(_condition, rule.when)]
    if rule.verdict == "require_approval":
        arguments += [*_who(rule), f"within_s={rule.within_s}"]
    lines = "".join(f"{_INDENT}{argument},\n" for argument in (*arguments, f"why={repr_of(rule.why)}"))
    made = f"{rule.verdict}(\n{lines})"
    return f"waivable({made})" if rule.waivable else made


def repr_of(value: object) -> str:
    """A literal with double quotes, as the formatter wants it."""
    text = repr(value)
    inner = text[1:-1]
    return f'"{inner}"' if text.startswith("'") and '"' not in inner else text


def _narrowed(rule: Rule, when: Sequence[Condition]) -> Iterator[Rule]:
    """The rule outside of the conditions: where there are several, one of them not holding is enough."""
    for nth, condition in enumerate(when):
        limit, fact = condition.value, condition.fact
        if condition.operator == "at_most" and isinstance(limit, int):
            outside = above(fact, limit)
        else:
            outside = differs(fact, limit)
        name = rule.id if nth == 0 else f"{rule.id}-{fact.replace('_', '-')}"
        yield replace(rule, id=name, when=(*rule.when, outside))


def _condition(condition: Condition) -> str:
    value = condition.value
    values = value if condition.operator == "not_among" and isinstance(value, list) else [value]
    return f"{condition.operator}({', '.join(map(repr_of, (condition.fact, *values)))})"


def _who(rule: Rule) -> Iterator[str]:
    quorum = rule.quorum
    if quorum.needed == 1 and len(quorum.roles) == 1:
        yield f"role={repr_of(quorum.roles[0])}"
    else:
        always = f", always={quorum.always!r}" if quorum.always else ""
        yield f"quorum=Quorum({quorum.roles!r}, needed={quorum.needed}{always})"
