"""The policy that trial workflows share, but for their purpose and their tools."""

from contracts.policy import Budget, Level, Policy, Queue, Rule
from contracts.tool import AnyTool

HOUR_S = 3600


def terms(
    purpose: str,
    tools: tuple[AnyTool, ...] = (),
    rules: tuple[Rule, ...] = (),
    queue: Queue | None = None,
) -> Policy:
    """A policy with room for hundreds of calls; finance decides where a rule asks."""
    return Policy(
        owner="tests",
        purpose=purpose,
        tools=tools,
        rules=rules,
        budget=Budget(tool_calls=1_000, model_calls=100, seconds=600),
        queue=queue or Queue("trials", target_s=HOUR_S, escalation=(Level("group", 2 * HOUR_S),)),
        roles=tuple(dict.fromkeys(role for rule in rules for role in rule.quorum.roles)),
    )
