"""What a workflow must have before the engine runs it. A missing part is an error, not a warning."""

from collections.abc import Iterator
from typing import get_type_hints

from contracts.errors import ConfigurationError
from contracts.tool import Accepted, AnyTool
from engine.catalog.workflow import Workflow

_LONGEST_SETTLING_S = 60
_SHORTEST_RETENTION_S = 60
# The run's row is held meanwhile, and its lease cannot be renewed.
_LONGEST_TRANSACTION_S = 3


def check(workflow: Workflow) -> None:
    """Raises `ConfigurationError` naming every problem."""
    problems = [*_ownership(workflow), *_tools(workflow), *_rules(workflow), *_stages(workflow)]
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise ConfigurationError(f"Workflow {workflow.name!r} cannot be governed:\n{listed}")


def _ownership(workflow: Workflow) -> Iterator[str]:
    policy = workflow.policy
    if not policy.owner or not policy.purpose:
        yield "its POLICY names no owner or no purpose"
    if min(policy.budget.tool_calls, policy.budget.model_calls, policy.budget.seconds) <= 0:
        yield "its POLICY has a budget without a limit"


def _tools(workflow: Workflow) -> Iterator[str]:
    for tool in workflow.policy.tools:
        for problem in _contract(tool):
            yield f"the contract of {tool.name!r} {problem}"


def _contract(tool: AnyTool) -> Iterator[str]:
    """What the tool's class of effect wants to know, so that a call can be recovered after a crash."""
    if tool.effect == "queryable" and tool.look_up is None:
        yield "is queryable and names no look_up"
    if tool.look_up is not None:
        if tool.effect != "queryable":
            yield f"names a look_up, which nobody asks for a tool that is {tool.effect}"
        elif get_type_hints(tool.look_up).get("request") is not tool.request:
            yield "names a look_up that takes another request"
        if not 0 < tool.settles_in_s <= _LONGEST_SETTLING_S:
            yield f"does not settle within {_LONGEST_SETTLING_S} s (settles_in_s)"
    if tool.effect in ("idempotent", "outbox") and tool.key_retention_s < _SHORTEST_RETENTION_S:
        yield f"drops repeats of a key for less than {_SHORTEST_RETENTION_S} s (key_retention_s)"
    if tool.effect == "outbox" and tool.reply is not Accepted:
        yield "is an outbox and does not reply Accepted: nobody has answered yet when the stage goes on"
    if tool.effect == "transactional" and tool.timeout_s > _LONGEST_TRANSACTION_S:
        yield f"may hold a transaction for more than {_LONGEST_TRANSACTION_S} s (timeout_s)"


def _rules(workflow: Workflow) -> Iterator[str]:
    policy, known = workflow.policy, {tool.name for tool in workflow.policy.tools}
    for rule in policy.rules:
        if rule.tool not in known:
            yield f"rule {rule.id!r} is about {rule.tool!r}, which is not among its tools"
        if rule.verdict == "require_approval" and (not rule.role or rule.within_s <= 0):
            yield f"rule {rule.id!r} asks for approval without a role or a time to decide"
        if rule.role and rule.role not in policy.roles:
            yield f"rule {rule.id!r} asks for the role {rule.role!r}, which its POLICY does not list"
    for tool in policy.tools:
        rules = [rule for rule in policy.rules if rule.tool == tool.name]
        if tool.writes and not rules:
            yield f"no rule speaks of the write {tool.name!r}"
        if not tool.writes and rules:
            yield f"a read needs no gate, but rule {rules[0].id!r} is about {tool.name!r}"
        if len({rule.role for rule in rules if rule.verdict == "require_approval"}) > 1:
            yield f"rules for {tool.name!r} ask different roles"


def _stages(workflow: Workflow) -> Iterator[str]:
    by_tool: dict[str, set[str]] = {}
    for stage in workflow.stages.values():
        if stage.prompt and stage.prompt not in workflow.prompts:
            yield f"stage {stage.name!r} uses the prompt {stage.prompt!r}, which has no file"
        for used in stage.tools:
            by_tool.setdefault(used, set()).add(stage.kind)
    listed = {tool.name: tool for tool in workflow.policy.tools}
    for name in sorted(set(by_tool) - set(listed)):
        yield f"a stage uses {name!r}, which its POLICY does not list"
    for name, tool in listed.items():
        missing = {"proposal", "gate", "effect"} - by_tool.get(name, set())
        if tool.writes and missing:
            yield f"the write {name!r} has no stage of kind {', '.join(sorted(missing))}"
