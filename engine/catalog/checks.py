"""What a workflow must have before the engine runs it. A missing part is an error, not a warning."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import get_type_hints

from contracts.errors import ConfigurationError
from contracts.policy import HOST, SEEN, Rule
from contracts.tool import Accepted, AnyTool
from engine.approvals.hours import problems_of
from engine.catalog.gate_classes import ungated
from engine.catalog.lint import lint, too_many_tools
from engine.catalog.workflow import Workflow

_LONGEST_SETTLING_S = 60
_SHORTEST_RETENTION_S = 60
# The run's row is held meanwhile, and its lease cannot be renewed.
_LONGEST_TRANSACTION_S = 3


def check(workflow: Workflow) -> None:
    """Raises `ConfigurationError` naming every problem."""
    problems = [f"{problem} ({part})" for part, judge in PARTS.items() for problem in judge(workflow)]
    # What is wrong with the rules is said in their own words first.
    problems = problems or [f"{problem} (permissions)" for problem in _cedar(workflow)]
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise ConfigurationError(f"Workflow {workflow.name!r} cannot be governed:\n{listed}")


def _ownership(workflow: Workflow) -> Iterator[str]:
    if not workflow.policy.owner or not workflow.policy.purpose:
        yield "its POLICY names no owner or no purpose"


def _bounds(workflow: Workflow) -> Iterator[str]:
    policy = workflow.policy
    if min(policy.budget.tool_calls, policy.budget.model_calls, policy.budget.seconds) <= 0:
        yield "its POLICY has a budget without a limit"


def _tools(workflow: Workflow) -> Iterator[str]:
    for tool in workflow.policy.callable_tools:
        for problem in _contract(tool):
            yield f"the contract of {tool.name!r} {problem}"
        for finding in lint(tool):
            if finding.level == "error":
                where = f"{finding.field} " if finding.field else ""
                yield f"the tool {tool.name!r}: {where}{finding.says} ({finding.rule}). {finding.do}"


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
    yield from _review(tool)


def _review(tool: AnyTool) -> Iterator[str]:
    """What reviewers are told of it, and how they take it back."""
    if tool.reread and not tool.preconditions:
        yield "rereads preconditions and names none"
    if missing := [name for name in (tool.amount, tool.currency) if name and name not in tool.request.model_fields]:
        yield f"names {missing[0]!r} as a sum or its currency, which its request does not have"
    if tool.compensation and tool.compensation.tool.effect != "idempotent":
        yield "is taken back by a call that is not idempotent, so that it could not be sent again"
    if tool.compensation and tool.reversibility == "irreversible":
        yield "is irreversible and names a compensation"


def _rules(workflow: Workflow) -> Iterator[str]:
    policy, known = workflow.policy, {tool.name for tool in workflow.policy.tools}
    for rule in policy.rules:
        if rule.tool not in known:
            yield f"rule {rule.id!r} is about {rule.tool!r}, which is not among its tools"
        if rule.verdict == "require_approval":
            yield from (f"rule {rule.id!r} {problem}" for problem in _asking(rule, policy.roles))
    writes = {tool.name for tool in policy.tools if tool.writes}
    for name in sorted(set(policy.confirmed) - writes):
        yield f"it wants {name!r} confirmed, which is not among the writes of its tools"
    for tool in policy.tools:
        rules = [rule for rule in policy.rules if rule.tool == tool.name]
        if tool.writes and not rules:
            yield f"no rule speaks of the write {tool.name!r}"
        if not tool.writes and (unfit := [rule.id for rule in rules if rule.verdict != "deny"]):
            yield (
                f"a read needs no gate and is allowed to stages that are granted it, but rule {unfit[0]!r} is about"
                f" {tool.name!r}: a rule about a read denies"
            )
        if own := [name for name in tool.request.model_fields if name.startswith((HOST, SEEN))]:
            yield f"{tool.name!r} takes {own[0]!r}, a name under which only the engine states facts"
        asked = {rule.quorum for rule in rules if rule.verdict == "require_approval"}
        if not all(one.covers(other) or other.covers(one) for one, other in combinations(asked, 2)):
            yield f"rules for {tool.name!r} ask people of whom none includes the others"


def _cedar(workflow: Workflow) -> Iterator[str]:
    try:
        workflow.policies  # noqa: B018  # parsed here, once, for everybody
    except ConfigurationError as error:
        yield f"{error.detail} {error.hint}".strip()


def _asking(rule: Rule, roles: tuple[str, ...]) -> Iterator[str]:
    """Who is asked, and until when."""
    quorum = rule.quorum
    if not all(quorum.roles) or not 0 < quorum.needed <= len(quorum.roles) or rule.within_s <= 0:
        yield "asks for approval without a role, a number of people that the roles allow, or a time to decide"
    if unknown := sorted({*quorum.roles} - {*roles, ""}):
        yield f"asks for the role {unknown[0]!r}, which its POLICY does not list"
    if Counter(quorum.always) - Counter(quorum.roles) or len(quorum.always) > quorum.needed:
        yield "always wants somebody for whom its quorum has no seat"


def _guards(workflow: Workflow) -> Iterator[str]:
    """A tool that can do harm by an argument is looked at by somebody."""
    policy = workflow.policy
    sinks = [f"{tool.name}.{argument}" for tool in policy.tools for argument in tool.sinks]
    if policy.guarded is None:
        if sinks:
            yield f"{sinks[0]!r} is a sink, and its POLICY names no guards over calls (guarded)"
        return
    if not policy.guarded.guards:
        yield "its POLICY guards calls with no guard"
    for unknown in sorted({*policy.guarded.unchecked} - {*sinks}):
        yield f"its POLICY leaves {unknown!r} unchecked, which is no sink of its tools"
    for unknown in sorted({*policy.guarded.says} - workflow.inputs):
        yield f"its POLICY says that the input {unknown!r} holds the requester's words, and there is no such input"


def _queue(workflow: Workflow) -> Iterator[str]:
    queue, roles = workflow.policy.queue, workflow.policy.roles
    named = f"its queue {queue.name!r}"
    if not queue.name or queue.target_s <= 0:
        yield f"{named} has no name or no target"
    if min(queue.warn_s, queue.breach_s, queue.capacity, queue.oldest_s, queue.grace_s) < 0:
        yield f"{named} has a limit below zero"
    if queue.hours:
        yield from (f"{named} {problem}" for problem in problems_of(queue.hours))
    steps = [level.after_s for level in queue.escalation]
    if steps != sorted(set(steps)) or (steps and steps[0] <= 0):
        yield f"{named} escalates in steps that do not follow each other"
    for level in queue.escalation:
        if level.role and level.role not in roles:
            yield f"{named} escalates to the role {level.role!r}, which its POLICY does not list"


def _stages(workflow: Workflow) -> Iterator[str]:
    for stage in workflow.stages.values():
        if stage.prompt and stage.prompt not in workflow.prompts:
            yield f"stage {stage.name!r} uses the prompt {stage.prompt!r}, which has no file"
        yield from too_many_tools(stage)
    listed = {tool.name for tool in workflow.policy.tools}
    used = {name for stage in workflow.stages.values() for name in stage.tools}
    for name in sorted(used - listed):
        yield f"a stage uses {name!r}, which its POLICY does not list"


def _gates(workflow: Workflow) -> Iterator[str]:
    for tool in workflow.policy.tools:
        kinds = {stage.kind for stage in workflow.stages.values() if tool.name in stage.tools}
        missing = {"proposal", "gate", "effect"} - kinds
        if tool.writes and missing:
            yield f"the write {tool.name!r} has no stage of kind {', '.join(sorted(missing))}"
    yield from ungated(workflow.policy)


PARTS: dict[str, Callable[[Workflow], Iterator[str]]] = {
    "no-owner": _ownership,
    "retries": _bounds,
    "contracts": _tools,
    "scoped-tools": _stages,
    "permissions": _rules,
    "guards": _guards,
    "queue": _queue,
    "gates": _gates,
}
"""What is judged, by the part that lacks where something is found."""
