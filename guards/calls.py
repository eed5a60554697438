"""The guards over calls that every workflow whose tools have sinks is expected to name."""

from contracts.guard import CallGuard
from guards.confidential import judge_confidentiality
from guards.links import judge_links
from guards.provenance import judge_first_seen, judge_intent, judge_pairs, judge_provenance, judge_repeats

STANDARD: tuple[CallGuard, ...] = (
    judge_provenance,
    judge_intent,
    judge_links,
    judge_confidentiality,
    judge_pairs,
    judge_repeats,
)
"""Where values come from, whom they lead to, what leads out, what is private, what belongs together, what was done."""

WITH_PAYEES: tuple[CallGuard, ...] = (*STANDARD, judge_first_seen)
"""And asks about every payee whom nobody has paid before."""
