"""Every number is finance's to decide, and the second of a case called `panel …` a manager's as well."""

from contracts.policy import Quorum, equals, require_approval
from trials.counter import add
from trials.terms import HOUR_S, terms

POLICY = terms(
    "Count two numbers, each of them only if finance allows it.",
    tools=(add,),
    rules=(
        require_approval("any", add.name, role="finance", within_s=HOUR_S, why="It is asked for."),
        require_approval(
            "second-of-a-panel",
            add.name,
            equals("number", 2),
            equals("panel", True),
            quorum=Quorum(("finance", "manager"), needed=2),
            within_s=HOUR_S,
            why="Two decide.",
        ),
    ),
)
