"""Small refunds are paid at once, larger ones are finance's to decide, absurd ones nobody's."""

from contracts.policy import Budget, Policy, Queue, above, allow, deny, require_approval

from .payments import refund

PAID_WITHOUT_A_PERSON = 100
NEVER_PAID = 1_000_000
_HOUR_S = 3600

POLICY = Policy(
    owner="conformance",
    purpose="Be attacked by gatehouse conform.",
    tools=(refund,),
    rules=(
        allow("small", refund.name, why="Small refunds do no harm."),
        require_approval(
            "large",
            refund.name,
            above("amount", PAID_WITHOUT_A_PERSON),
            role="finance",
            within_s=_HOUR_S,
            why="A large refund.",
        ),
        deny("absurd", refund.name, above("amount", NEVER_PAID), why="Nobody refunds as much."),
    ),
    budget=Budget(tool_calls=10, model_calls=1, seconds=120),
    queue=Queue("conformance", target_s=_HOUR_S),
    roles=("finance",),
)
