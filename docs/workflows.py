"""What a workflow's page says of it that can be read from its graph and its POLICY."""

from collections.abc import Iterator

from contracts.policy import Condition, Policy, Rule
from docs.chart import read_chart
from docs.diagram import mermaid
from docs.drawing import draw
from docs.markdown import table, with_section
from engine.catalog.workflow import Stage, Workflow

_OPERATORS = {
    "above": "is above {}",
    "at_most": "is at most {}",
    "equals": "is {}",
    "differs": "is not {}",
    "not_among": "is none of {}",
}
_JUDGED = ("deny", "require_approval", "allow")


def with_facts(text: str, workflow: Workflow) -> str:
    """A workflow's README with its generated sections as they are now."""
    sections = {
        "facts": _facts(workflow.policy),
        "stages": _stages(workflow),
        "rules": _rules(workflow.policy),
        "diagram": f"```mermaid\n{mermaid(workflow.graph)}\n```",
    }
    for name, content in sections.items():
        text = with_section(text, name, content)
    return text


def picture(workflow: Workflow) -> str:
    """The workflow's drawing, as an SVG file."""
    notes = {stage.name: _note(stage, workflow.policy) for stage in workflow.stages.values()}
    return draw(read_chart(workflow.graph), title=f"The workflow {workflow.name}", notes=notes)


def roles_for(policy: Policy, tools: tuple[str, ...]) -> list[str]:
    """The roles that decide about these tools, in the order of the rules."""
    asking = (rule for rule in policy.rules if rule.tool in tools and rule.verdict == "require_approval")
    return list(dict.fromkeys(role for rule in asking for role in rule.quorum.roles))


def _note(stage: Stage, policy: Policy) -> str:
    match stage.kind:
        case "gate":
            first, *others = roles_for(policy, stage.tools) or [""]
            return f"{first} and {len(others)} others" if len(others) > 1 else ", ".join((first, *others))
        case "read":
            return ", ".join(dict.fromkeys(name.partition(".")[0] for name in stage.tools))
        case "model":
            return stage.prompt if stage.prompt != stage.name else ""
        case _:
            return ", ".join(stage.tools)


def _facts(policy: Policy) -> str:
    budget = policy.budget
    limits = f"{budget.tool_calls} tool calls, {budget.model_calls} model calls, {budget.seconds} seconds of work"
    rows = [
        ("owner", f"`{policy.owner}`"),
        ("purpose", policy.purpose),
        ("review queue", f"`{policy.queue.name}`, decided within {_time(policy.queue.target_s)} as a target"),
        ("budget", limits),
        ("guards on input", ", ".join(f"`{guard.__name__}`" for guard in policy.input_guards) or "none"),
    ]
    return table(("", ""), rows)


def _stages(workflow: Workflow) -> str:
    rows = [
        (f"`{stage.name}`", stage.kind, _code(stage.tools), _code((stage.prompt,) if stage.prompt else ()))
        for stage in workflow.stages.values()
    ]
    return table(("stage", "kind", "tools", "prompt"), rows)


def _rules(policy: Policy) -> str:
    return table(("action", "verdict", "when", "because", "rule"), _rule_rows(policy))


def _rule_rows(policy: Policy) -> Iterator[tuple[str, ...]]:
    for tool in policy.tools:
        rules = [rule for rule in policy.rules if rule.tool == tool.name]
        for rule in sorted(rules, key=lambda rule: _JUDGED.index(rule.verdict)):
            when = " and ".join(map(_condition, rule.when)) or "always"
            yield f"`{tool.name}`", _verdict(rule), when, rule.why, f"`{rule.id}`"


def _verdict(rule: Rule) -> str:
    if rule.verdict == "require_approval":
        who = rule.quorum.said()
        return f"**{who}** {'decide' if rule.quorum.needed > 1 else 'decides'} within {_time(rule.within_s)}"
    return rule.verdict


def _condition(condition: Condition) -> str:
    value = condition.value
    values = [str(item) for item in value] if isinstance(value, list) else [_plain(value)]
    return f"`{condition.fact}` {_OPERATORS[condition.operator].format(', '.join(values))}"


def _plain(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _time(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds % 3600 == 0 else f"{seconds} s"


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
