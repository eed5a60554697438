"""The six classes of effects about which a person is asked unless a policy says why not. Pure."""

from collections.abc import Iterator

from contracts.policy import HOST, Policy, Rule


def ungated(policy: Policy) -> Iterator[str]:
    """A sentence for each tool of a gate class about which nobody is asked and nothing said, and for idle waivers."""
    waived = {waiver.tool: waiver for waiver in policy.waivers}
    for tool in policy.tools:
        if tool.gate_class is None or not tool.writes:
            continue
        asking = [rule for rule in policy.rules if rule.tool == tool.name and _asks(rule)]
        if tool.name in waived:
            continue
        told = f"{tool.name!r} is of the gate class {tool.gate_class}"
        if not asking:
            yield f"{told}, and no rule asks anybody about it: add require_approval(…), or waive({tool.name!r}, why=…)"
        if passed_by := [rule.id for rule in asking if rule.waivable]:
            yield f"{told}, and rule {passed_by[0]!r} is waivable: say why with waive({tool.name!r}, why=…)"
    classes = {tool.name for tool in policy.tools if tool.gate_class}
    for name, waiver in waived.items():
        if name not in classes or not waiver.why.strip():
            yield f"it waives {name!r}, which is of no gate class, or says no reason"


def _asks(rule: Rule) -> bool:
    """Rules over the host's facts alone ask about where values come from, and not about the effect."""
    about_the_call = not rule.when or any(not condition.fact.startswith(HOST) for condition in rule.when)
    return rule.verdict == "require_approval" and about_the_call
