"""The guards over calls that every workflow whose tools have sinks is expected to name."""

from contracts.guard import CallGuard
from guards.confidential import judge_confidentiality
from guards.links import judge_links
from guards.provenance import judge_first_seen, judge_intent, judge_pairs, judge_provenance

STANDARD: tuple[CallGuard, ...] = (judge_provenance, judge_intent, judge_links, judge_confidentiality, judge_pairs)
"""Where values come from, whom they lead to, what leads out, what is private, what belongs together."""

WITH_PAYEES: tuple[CallGuard, ...] = (*STANDARD, judge_first_seen)
"""And asks about everybody to whom nothing ever went."""
