"""Takes payment card numbers and IBANs out of free text, above all out of the customer's own words."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from contracts.guard import Judgement

# What people put between the groups of a number. No bracket: a placeholder never becomes part of another number.
_GAP = r"[^\w\n\[\]]{1,3}|_"

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")

Span = tuple[int, int]


@dataclass(frozen=True)
class _Kind:
    """A kind of number: what its groups look like in a text, how many signs it has in all, and its check."""

    name: str
    groups: re.Pattern[str]
    lengths: range
    checks: Callable[[list[str]], bool]


def redact_card_numbers(text: str) -> Judgement:
    """Replace every card number by `[card number]` and every IBAN by `[IBAN]`; findings name kinds, never digits.

    A card number is 13 to 19 digits that pass the Luhn check (ISO/IEC 7812), an IBAN what passes mod 97 (ISO 13616),
    in one piece or in groups. One other number in ten passes Luhn and is redacted too: a placeholder costs less than a
    card number in a checkpoint. Redacting twice changes nothing.
    """
    findings: tuple[str, ...] = ()
    for kind in (_IBANS, _CARDS):
        spans = _merged(span for match in kind.groups.finditer(text) for span in _numbers(match, kind))
        for start, end in reversed(spans):
            text = f"{text[:start]}[{kind.name}]{text[end:]}"
        findings += (kind.name,) * len(spans)
    return Judgement("redact" if findings else "pass", text, findings)


def _numbers(match: re.Match[str], kind: _Kind) -> Iterator[Span]:
    """Every run of whole groups that is a number: what stands before or after it may be digits as well."""
    groups = [(part.start() + match.start(), part.group()) for part in re.finditer(r"[^\W_]+", match.group())]
    for first in range(len(groups)):
        length = 0
        for last in range(first, len(groups)):
            start, word = groups[last]
            length += len(word)
            if length >= kind.lengths.stop:
                break
            if length in kind.lengths and kind.checks([group for _, group in groups[first : last + 1]]):
                yield groups[first][0], start + len(word)


def _is_card(groups: list[str]) -> bool:
    return _written_as_one(groups) and _luhn("".join(groups))


def _written_as_one(groups: list[str]) -> bool:
    """Cards are printed 4-4-4-4 or 4-6-5, or spelt digit by digit. Dates and amounts, common in disputes, are not."""
    lengths = [len(group) for group in groups[:-1]] or [len(groups[0])]
    return min(lengths) >= 4 or max(lengths) == 1


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_iban(groups: list[str]) -> bool:
    number = "".join(groups).upper()
    # Country and check digits in one group, or every "of 45 …" in a sentence would be a candidate.
    if len(groups[0]) < 4 or not _IBAN.fullmatch(number):
        return False
    return int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1


def _merged(spans: Iterator[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


# ISO 13616, and ISO/IEC 7812: at most 19 digits, and no scheme issues fewer than 13.
_IBANS = _Kind("IBAN", re.compile(rf"[^\W_]+(?:(?:{_GAP})[^\W_]+)*"), range(15, 35), _is_iban)
_CARDS = _Kind("card number", re.compile(rf"\d+(?:(?:{_GAP}|\n)\d+)*"), range(13, 20), _is_card)
