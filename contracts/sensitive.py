"""What must not be stored or leave by its form alone: keys of providers, payment card numbers, IBANs. Pure.

Strict on purpose, because it is applied to business data: a number counts as a card's only with an issuer's prefix, its
length and its check digit, and as an IBAN only with its country's length and its check digits.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """One thing that was found in a text."""

    kind: str
    """As in `OpenAI key`, `card number`, `IBAN`."""
    start: int
    end: int


_KEYS: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (kind, mark, re.compile(form))
    for kind, mark, form in (
        ("Anthropic key", "sk-ant-", r"sk-ant-[\w-]{20,}"),
        ("OpenAI key", "sk-", r"sk-(?!ant-)[A-Za-z0-9_-]{20,}"),
        ("AWS key id", "AKIA", r"AKIA[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("AWS key id", "ASIA", r"ASIA[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("GitHub token", "gh", r"gh[pousr]_[A-Za-z0-9]{30,}"),
        ("GitHub token", "github_pat_", r"github_pat_\w{30,}"),
        ("GitLab token", "glpat-", r"glpat-[\w-]{20,}"),
        ("Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("Slack webhook", "hooks.slack", r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]{20,}"),
        ("Google key", "AIza", r"AIza[\w-]{35}"),
        ("Stripe key", "sk_", r"sk_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("Stripe key", "rk_", r"rk_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("SendGrid key", "SG.", r"SG\.[\w-]{16,}\.[\w-]{16,}"),
        ("Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{30,}"),
        ("npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
        ("PyPI token", "pypi-", r"pypi-[\w-]{50,}"),
        ("webhook secret", "whsec_", r"whsec_[A-Za-z0-9+/]{30,}={0,2}"),
        ("Gatehouse key", "gh_", r"gh_[0-9a-f]{8}_[\w-]{20,}"),
        ("JSON web token", "eyJ", r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
        ("private key", "-----BEGIN", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]+-----|$)"),
        ("password in an address", "://", r"://[^\s:/@\"'<>]*:([^\s/@\"'<>]+)@"),
    )
)
"""Forms that only keys have: whose it is, a sign that none is without, and the form, which begins with plain letters.

Both make it quick: most texts have no sign, and a form that begins with letters is searched for by them.
"""

_DIGITS = re.compile(r"\d(?:[ -]?\d){12,18}(?!\w|[.,]\d)")
_GROUPS = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 5)}
"""How cards are printed."""
_ISSUERS: tuple[tuple[re.Pattern[str], frozenset[int]], ...] = tuple(
    (re.compile(prefix), frozenset(lengths))
    for prefix, lengths in (
        (r"4", (13, 16, 19)),
        (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
        (r"3[47]", (15,)),
        (r"6011|64[4-9]|65", (16, 19)),
        (r"30[0-5]|36|38|39", (14, 16)),
        (r"35(?:2[89]|[3-8])", (16, 19)),
        (r"62", (16, 17, 18, 19)),
        (r"5018|5020|5038|5893|6304|6759|676[1-3]", (13, 14, 15, 16, 17, 18, 19)),
    )
)
"""Visa, Mastercard, American Express, Discover, Diners, JCB, UnionPay, Maestro (ISO/IEC 7812)."""

_IBAN = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FO", "FI", "GL", "NL"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "XK", "LT", "LU"), 20),
    **dict.fromkeys(("HR", "LV", "LI", "CH"), 21),
    **dict.fromkeys(("BH", "BG", "CR", "GE", "DE", "IE", "ME", "RS", "GB", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "MD", "PK", "RO", "SA", "SK", "ES", "SE", "TN", "VG"), 24),
    **dict.fromkeys(("PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "SV", "GT", "HU", "LB", "PL"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    "LC": 32,
}
"""Signs of an IBAN by country (ISO 13616)."""


MARKS = tuple(dict.fromkeys(mark for _, mark, _ in _KEYS))
"""Every key that `find_keys` knows begins with one of these."""


def find_keys(text: str) -> Iterator[Found]:
    """Keys of providers, tokens, private keys, and passwords in addresses."""
    for mark in MARKS:
        place = text.find(mark)
        while place >= 0:
            yield from keys_at(text, place, mark)
            place = text.find(mark, place + 1)


def keys_at(text: str, place: int, mark: str) -> Iterator[Found]:
    """The key that begins with the mark at this place, if one does."""
    for kind, begins, form in _KEYS:
        match = form.match(text, place) if begins == mark else None
        if match and (mark == "://" or _begins(text, place)):
            yield Found(kind, *match.span(form.groups))


def _begins(text: str, place: int) -> bool:
    """Whether no word goes on there; the letter of an escaped line break is none."""
    before = text[max(0, place - 2) : place]
    return not before[-1:].isalnum() or before in ("\\n", "\\t", "\\r")


def find_numbers(text: str) -> Iterator[Found]:
    """Payment card numbers and IBANs, in one piece or grouped as they are printed."""
    for match in _DIGITS.finditer(text):
        if not _goes_on(text, match.start()) and is_card_number(match.group()):
            yield Found("card number", match.start(), match.end())
    for match in _IBAN.finditer(text):
        if not text[match.start() - 1 : match.start()].isalnum() and is_iban(match.group()):
            yield Found("IBAN", match.start(), match.end())


def _goes_on(text: str, place: int) -> bool:
    before = text[place - 1] if place else " "
    return before.isalnum() or before in "_.,+-"


def mask(text: str, *finders: Callable[[str], Iterator[Found]]) -> str:
    """`text` with `[kind]` in place of what the finders find. Masking twice changes nothing."""
    for find in finders:
        for found in sorted(find(text), key=lambda one: one.start, reverse=True):
            text = f"{text[: found.start]}[{found.kind}]{text[found.end :]}"
    return text


def is_card_number(text: str) -> bool:
    """Whether it has a card's grouping, an issuer's prefix with one of its lengths, and the check digit (Luhn)."""
    groups = tuple(len(group) for group in re.split(r"[ -]", text))
    digits = re.sub(r"[ -]", "", text)
    if len(groups) > 1 and (groups not in _GROUPS or (" " in text and "-" in text)):
        return False
    return any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _ISSUERS) and _luhn(digits)


def is_iban(text: str) -> bool:
    """Whether it has its country's length and the check digits (mod 97)."""
    signs = text.replace(" ", "")
    if _IBAN_LENGTHS.get(signs[:2]) != len(signs):
        return False
    return int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97 == 1


def _luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(int(digit) for digit in digits[::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1
