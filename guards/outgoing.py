"""Judges a reply before it goes to a customer: only known links, only the sums that code computed."""

import re
from collections.abc import Collection

from contracts.guard import Judgement
from guards.amounts import as_read, find_amounts
from guards.links import find_links

_TURNS_TEXT = re.compile("[\u202a-\u202e\u2066-\u2069]")


def judge_outgoing(
    text: str,
    *,
    allowed_links: Collection[str],
    allowed_amounts_cents: Collection[int],
    currency: str,
    max_chars: int = 4000,
) -> Judgement:
    """Block a reply with an unknown link, an unknown sum of money, no words at all or more than `max_chars`.

    A link (URL, host name, e-mail address) is allowed as a whole or not at all: a known host with another path or
    query can still carry data out. A sum is allowed when it is one of `allowed_amounts_cents` of `currency`, so
    `¥45.00` is not 4500 yen. A blocked judgement carries no text; its findings quote what was found.
    """
    findings = _size(text, max_chars)
    if not findings:  # what is too long is not searched: some patterns take time in the square of the length
        findings += _links(text, frozenset(allowed_links))
        findings += _amounts(text, frozenset(allowed_amounts_cents), currency)
        findings += ["characters that change the direction of writing"] * bool(_TURNS_TEXT.search(text))
    return Judgement("block", "", tuple(findings)) if findings else Judgement("pass", text)


def _size(text: str, max_chars: int) -> list[str]:
    if not as_read(text).strip():
        return ["no text"]
    return [f"{len(text)} characters, {max_chars} allowed"] if len(text) > max_chars else []


def _links(text: str, allowed: frozenset[str]) -> list[str]:
    return [f"link not allowed: {link}" for link in find_links(text) if link not in allowed]


def _amounts(text: str, allowed_cents: frozenset[int], currency: str) -> list[str]:
    unknown = [amount for amount in find_amounts(text) if not amount.is_one_of(allowed_cents, currency)]
    return [f"amount not allowed: {amount.written}" for amount in unknown]
