"""Takes keys of providers and strictly checked card numbers and IBANs out of text."""

from contracts.guard import Judgement
from contracts.sensitive import find_keys, find_numbers, mask


def redact_keys(text: str) -> Judgement:
    """Replace every key that has a provider's form by its kind; findings name kinds, never a part of a key."""
    findings = tuple(found.kind for found in find_keys(text))
    return Judgement("redact" if findings else "pass", mask(text, find_keys), findings)


def redact_sensitive(text: str) -> Judgement:
    """The same for card numbers and IBANs, too, where a number that merely looks like one has to stay.

    For the words of a customer `guards.card_numbers` takes more: there a number lost costs less.
    """
    findings = tuple(found.kind for finder in (find_keys, find_numbers) for found in finder(text))
    return Judgement("redact" if findings else "pass", mask(text, find_keys, find_numbers), findings)
