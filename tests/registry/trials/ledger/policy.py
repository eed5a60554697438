"""Every class of effect is allowed."""

from contracts.policy import allow
from trials.counter import add, announce, order, press, tally
from trials.terms import terms

TOOLS = (add, order, tally, announce, press)
POLICY = terms(
    "Count in every way there is, once each.",
    tools=TOOLS,
    rules=tuple(allow(tool.run.__name__, tool.name, why="It is counted once.") for tool in TOOLS),
)
