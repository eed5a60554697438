"""Who may pay, and who answers for it."""

from contracts.policy import Budget, Duties, Guarded, Policy, Queue, above, allow, require_approval
from guards.calls import STANDARD
from tools import billing

POLICY = Policy(
    owner="tests",
    purpose="Pay back.",
    duties=Duties("ann", "bob", "cay", "dan", "eve", review_due="2100-01-01"),
    tools=(billing.list_charges, billing.issue_refund),
    rules=(
        require_approval(
            "dear", "billing.issue_refund", above("amount_cents", 1), role="finance", within_s=60, why="It is dear."
        ),
        allow("cheap", "billing.issue_refund", why="It is cheap."),
    ),
    budget=Budget(tool_calls=20, model_calls=5, seconds=60),
    queue=Queue("tests", target_s=600, capacity=50),
    roles=("finance",),
    guarded=Guarded(guards=STANDARD, says=("account_id",), role="finance", within_s=60),
)
