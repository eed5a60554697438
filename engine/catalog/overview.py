"""What can be said of a workflow to whoever keeps the list of them: owner, risk, stages, tools, gates."""

from typing import Any

from contracts.policy import Policy
from engine.catalog.boundaries import contracts_of
from engine.catalog.workflow import Workflow, edges_of

Json = dict[str, Any]
_OTHERS_DECIDE = ("model", "gate", "clarification")
"""Kinds of stages whose result is a model's or a person's."""


def overview_of(workflow: Workflow) -> Json:
    """One line of the list; `deterministic` is the share of the stages whose result code alone decides."""
    stages = workflow.stages.values()
    return {
        "workflow": workflow.name,
        "owner": workflow.policy.owner,
        "purpose": workflow.policy.purpose,
        "risk": workflow.risk,
        "stages": len(stages),
        "deterministic": round(sum(stage.kind not in _OTHERS_DECIDE for stage in stages) / len(stages), 2),
        "gates": sum(stage.kind == "gate" for stage in stages),
        "tools": len(workflow.policy.tools),
        "version": workflow.version,
    }


def description_of(workflow: Workflow) -> Json:
    """Everything that the list leaves out, too."""
    policy, leads = workflow.policy, edges_of(workflow)
    queue, budget, contracts = policy.queue, policy.budget, contracts_of(workflow.graph)
    return {
        **overview_of(workflow),
        "success": policy.success,
        "queue": f"{queue.name}, decided within {queue.target_s} s",
        "escalation": [f"{level.to} after {level.after_s} s" for level in queue.escalation],
        "budget": f"{budget.tool_calls} tool calls, {budget.model_calls} model calls, {budget.seconds} s of work",
        "prompts": [
            {"prompt": p.name, "alias": p.alias, "max_tokens": p.max_tokens, "max_context": p.max_context}
            for p in workflow.prompts.values()
        ],
        "stages": [
            {
                "stage": stage.name,
                "kind": stage.kind,
                "tools": list(stage.tools),
                "prompt": stage.prompt,
                "takes": contracts[stage.name].takes_named,
                "leads_to": leads[stage.name],
                "recovery": (contracts[stage.name].recovery or ("failed_safe",))[-1],
                "contract": contracts[stage.name].as_json(),
            }
            for stage in workflow.stages.values()
        ],
        "tools": [
            {
                "tool": tool.name,
                "effect": tool.effect,
                "gate_class": tool.gate_class or "",
                "asks": _asked(policy, tool.name),
            }
            for tool in policy.tools
        ],
    }


def _asked(policy: Policy, tool: str) -> list[str]:
    """Who may be asked about a tool."""
    asking = (rule for rule in policy.rules if rule.tool == tool and rule.verdict == "require_approval")
    return list(dict.fromkeys(rule.quorum.said() for rule in asking))
