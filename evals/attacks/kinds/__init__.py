"""The attacks, a file for each kind."""

from evals.attacks.kinds import (
    approval_texts,
    benign,
    deputies,
    floods,
    laundering,
    links,
    look_alikes,
    old_payees,
    pairs,
    private,
    prompt_words,
    splits,
    travellers,
)
from evals.attacks.model import Attack

ATTACKS: tuple[Attack, ...] = (
    *laundering.ATTACKS,
    *prompt_words.ATTACKS,
    *pairs.ATTACKS,
    *old_payees.ATTACKS,
    *private.ATTACKS,
    *splits.ATTACKS,
    *deputies.ATTACKS,
    *look_alikes.ATTACKS,
    *approval_texts.ATTACKS,
    *floods.ATTACKS,
    *links.ATTACKS,
    *travellers.ATTACKS,
)
TASKS: tuple[Attack, ...] = (*benign.TASKS, *travellers.TASKS)
"""Benign tasks, by a model that does as it is asked."""
