"""Every number is finance's to decide."""

from contracts.policy import require_approval
from trials.counter import add
from trials.terms import HOUR_S, terms

POLICY = terms(
    "Count two numbers, each of them only if finance allows it.",
    tools=(add,),
    rules=(require_approval("any", add.name, role="finance", within_s=HOUR_S, why="It is asked for."),),
)
