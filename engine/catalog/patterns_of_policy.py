"""Anti-patterns that a policy, its tools and its people show."""

from collections.abc import Iterator

from contracts.policy import HOST
from contracts.tool import AnyTool
from engine.catalog.lint import MOST_TOOLS, lint
from engine.catalog.patterns import Patterns, Seen, thinking

OF_POLICY = Patterns()

_WHOLE = (":*", ":admin", ":all", ":full", ":root")


@OF_POLICY.add("generic-tool", level="error", do="Write one tool for each operation that is needed.")
def _generic_tool(seen: Seen) -> Iterator[str]:
    """A tool that does whatever it is told cannot be judged."""
    for tool in seen.workflow.policy.callable_tools:
        for finding in lint(tool):
            if finding.rule in ("generic-tool", "free-form-parameter"):
                yield f"{tool.name!r}: {finding.field} {finding.says}".replace(":  ", ": ")


@OF_POLICY.add("prompt-as-security", do="Say it as a rule: deny(…) or require_approval(…).")
def _prompt_as_security(seen: Seen) -> Iterator[str]:
    """A model may be talked out of what its prompt forbids."""
    policy = seen.workflow.policy
    if any(rule.verdict != "allow" or rule.when for rule in policy.rules):
        return
    for prompt in seen.workflow.prompts.values():
        if seen.workflow.writes and any(word in prompt.system.lower() for word in ("never", "must not", "do not")):
            yield f"the prompt {prompt.name!r} forbids something, and no rule of the policy denies or asks anything"


@OF_POLICY.add("autonomous-on-critical", level="error", do="Have a person asked about it: require_approval(…).")
def _autonomous(seen: Seen) -> Iterator[str]:
    """Several models that agree with each other are no second pair of eyes."""
    thinkers = thinking(seen.workflow)
    for tool in _writes(seen) if len(thinkers) > 1 else ():
        if tool.reversibility == "irreversible" and not _asked(seen, tool) and not _waived(seen, tool):
            yield f"{tool.name!r} is irreversible, {len(thinkers)} stages ask models, and nobody is ever asked"


@OF_POLICY.add("broad-tool-access", do="Take it out of the POLICY, or let a stage name it.")
def _broad_access(seen: Seen) -> Iterator[str]:
    """What no stage needs is there for whoever takes one over."""
    used = {tool for stage in seen.workflow.stages.values() for tool in stage.tools}
    for tool in seen.workflow.policy.tools:
        if tool.name not in used:
            yield f"its POLICY lists {tool.name!r}, and no stage uses it"


@OF_POLICY.add("write-without-gate", do="Add a threshold, a denial or an approval, or waive(tool, why=…).")
def _ungated_write(seen: Seen) -> Iterator[str]:
    """A write that is always allowed is done for every argument."""
    for tool in _writes(seen):
        rules = [rule for rule in seen.workflow.policy.rules if rule.tool == tool.name and not _of_host(rule.when)]
        open_ = rules and all(rule.verdict == "allow" and not rule.when for rule in rules)
        if open_ and not _waived(seen, tool) and tool.name not in seen.workflow.policy.confirmed:
            yield f"{tool.name!r} changes something outside and is allowed whatever its arguments are"


@OF_POLICY.add("broad-permissions", level="error", do="Name the one right that the operation needs.")
def _broad_scopes(seen: Seen) -> Iterator[str]:
    """Rights are added when they are missed; nobody takes away what was given at the start."""
    for tool in seen.workflow.policy.callable_tools:
        for scope in tool.scopes:
            if scope.endswith(_WHOLE):
                yield f"{tool.name!r} wants {scope!r}, which is a right to everything"


@OF_POLICY.add("no-owner", level="error", do="Set owner=… and purpose=… in its POLICY.")
def _no_owner(seen: Seen) -> Iterator[str]:
    """Prompts, rules, access, monitoring and escalation are somebody's duties, or nobody's."""
    policy = seen.workflow.policy
    if not policy.owner.strip() or not policy.purpose.strip():
        yield "its POLICY names nobody who answers for it, or no purpose"


@OF_POLICY.add("too-many-tools", level="error", do="Divide the stage, or offer fewer.")
def _too_many_tools(seen: Seen) -> Iterator[str]:
    """A model confuses tools where there are many."""
    for stage in seen.workflow.stages.values():
        if (stage.kind in ("model", "agent") or stage.prompt) and len(stage.tools) > MOST_TOOLS:
            yield f"stage {stage.name!r} offers its model {len(stage.tools)} tools; {MOST_TOOLS} are the most"


@OF_POLICY.add("uniform-oversight", do="Ask about what is unusual, and let a read be denied or allowed.")
def _uniform_oversight(seen: Seen) -> Iterator[str]:
    """Whoever is asked about everything looks at nothing."""
    policy = seen.workflow.policy
    reads = {tool.name for tool in policy.tools if not tool.writes}
    for rule in policy.rules:
        if rule.verdict == "require_approval" and rule.tool in reads:
            yield f"rule {rule.id!r} asks a person about the read {rule.tool!r}"
    always = {rule.tool for rule in policy.rules if rule.verdict == "require_approval" and not rule.when}
    writes = {tool.name for tool in policy.tools if tool.writes}
    if len(writes) > 1 and writes <= always:
        yield f"people are asked about every one of its {len(writes)} writes, whatever is at stake"


@OF_POLICY.add("queue-without-capacity", do="Set capacity=… or oldest_s=… of its queue.")
def _endless_queue(seen: Seen) -> Iterator[str]:
    """A queue that takes everything is one in which nobody looks at the oldest."""
    policy = seen.workflow.policy
    asks = any(rule.verdict == "require_approval" for rule in policy.rules)
    if asks and not policy.queue.capacity and not policy.queue.oldest_s:
        yield f"its queue {policy.queue.name!r} takes any number of cases for any time"


def _writes(seen: Seen) -> list[AnyTool]:
    return [tool for tool in seen.workflow.policy.tools if tool.writes]


def _asked(seen: Seen, tool: AnyTool) -> bool:
    return any(r.tool == tool.name and r.verdict == "require_approval" for r in seen.workflow.policy.rules)


def _waived(seen: Seen, tool: AnyTool) -> bool:
    return any(waiver.tool == tool.name and waiver.why.strip() for waiver in seen.workflow.policy.waivers)


def _of_host(when: tuple[object, ...]) -> bool:
    """Whether a rule is only about what the engine states, as those are that guards bring."""
    return bool(when) and all(str(getattr(one, "fact", "")).startswith(HOST) for one in when)
