"""A number that is counted if finance allows it."""

from trials.counter import add
from trials.one_gate import one_gate

graph = one_gate(add, name="gate")
