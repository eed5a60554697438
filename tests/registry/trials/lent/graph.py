"""A number that is lent if finance allows it, and can be taken back."""

from trials.counter import lend
from trials.one_gate import one_gate

graph = one_gate(lend, name="lent")
