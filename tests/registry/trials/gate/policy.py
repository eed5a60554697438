"""Small numbers are counted at once, larger ones are finance's to decide, the largest two people's."""

from contracts.policy import Quorum, above, allow, require_approval
from trials.counter import add
from trials.terms import HOUR_S, terms

POLICY = terms(
    "Count what finance allows.",
    tools=(add,),
    rules=(
        allow("small", add.name, why="Small numbers do no harm."),
        require_approval(
            "large", add.name, above("number", 10), role="finance", within_s=HOUR_S, why="A large number."
        ),
        require_approval(
            "largest",
            add.name,
            above("number", 100),
            quorum=Quorum(("manager", "finance", "director"), needed=2, always=("finance",)),
            within_s=HOUR_S,
            why="A very large number.",
        ),
    ),
)
