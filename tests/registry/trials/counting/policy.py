"""Counting is allowed."""

from contracts.policy import allow
from trials.counter import add, press
from trials.terms import terms

POLICY = terms(
    "Count, once each.",
    tools=(add, press),
    rules=(
        allow("add", add.name, why="The counter drops repeats."),
        allow("press", press.name, why="It is pressed once."),
    ),
)
