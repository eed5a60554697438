"""What is known while counting."""

from trials.one_gate import Case, Gated


class Asked(Case):
    effects: int
    """How many effects, from 1; odd ones are `counter.add`, even ones `counter.press`."""


class State(Asked, Gated):
    """`receipt` is the last effect's; there is none before the first."""
