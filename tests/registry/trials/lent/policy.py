"""Small numbers are lent at once, others if finance allows it; both can be taken back for an hour."""

from contracts.policy import Queue, above, allow, require_approval
from trials.counter import lend
from trials.terms import HOUR_S, terms

POLICY = terms(
    "Lend what finance allows.",
    tools=(lend,),
    rules=(
        allow("small", lend.name, why="Small numbers do no harm."),
        require_approval(
            "large", lend.name, above("number", 10), role="finance", within_s=HOUR_S, why="A large number."
        ),
    ),
    queue=Queue("lending", target_s=HOUR_S, grace_s=HOUR_S),
)
