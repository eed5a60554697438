"""Takes out of what is written into a case what must not be kept there."""

from collections.abc import Callable
from typing import TypeVar, cast

from pydantic import JsonValue

from contracts.sensitive import Found, find_numbers
from engine.credentials.redactor import KNOWN

REDACTION = 1
"""Rises when what is masked changes: cases that were recorded before may hold more."""

_Value = TypeVar("_Value", bound=JsonValue)
_KEPT_OF_CARD = 6
"""Digits that say whose kind of card it is; they are no secret."""


def masked(value: _Value) -> _Value:
    """`value` without secrets, card numbers and IBANs in any of its texts. Names and addresses stay."""
    return cast(_Value, _each(value, KNOWN.prose))


class Masking:
    """Masks the texts of one case, so that it can still be played.

    Secrets go. A card number or an IBAN gives way to an invented one of the same form, always the same one: contracts
    of tools take it, and what was equal stays equal.
    """

    def __init__(self) -> None:
        self._invented: dict[str, str] = {}

    def __call__(self, value: _Value) -> _Value:
        return cast(_Value, _each(value, self._text))

    def _text(self, text: str) -> str:
        text = KNOWN.text(text)
        for found in sorted(find_numbers(text), key=lambda one: one.start, reverse=True):
            number = text[found.start : found.end]
            text = f"{text[: found.start]}{self._instead(number, found)}{text[found.end :]}"
        return text

    def _instead(self, number: str, found: Found) -> str:
        """In the layout in which the number was written."""
        signs = "".join(filter(str.isalnum, number))
        if signs not in self._invented.values():
            count = len(self._invented) + 1
            make = _iban if found.kind == "IBAN" else _card
            invented = self._invented.setdefault(signs, make(signs, count))
            rest = iter(invented)
            return "".join(next(rest) if sign.isalnum() else sign for sign in number)
        return number


def _iban(signs: str, count: int) -> str:
    """Of the same country and length, with check digits that hold (ISO 13616)."""
    country, body = signs[:2], str(count).zfill(len(signs) - 4)
    checked = "".join(str(int(sign, 36)) for sign in f"{body}{country}00")
    return f"{country}{98 - int(checked) % 97:02}{body}"


def _card(signs: str, count: int) -> str:
    """Of the same issuer and length, with a check digit that holds (Luhn)."""
    body = signs[:_KEPT_OF_CARD] + str(count).zfill(len(signs) - _KEPT_OF_CARD - 1)
    doubled = [int(sign) * (2 if place % 2 == 0 else 1) for place, sign in enumerate(reversed(body))]
    total = sum(each - 9 if each > 9 else each for each in doubled)
    return f"{body}{-total % 10}"


def _each(value: JsonValue, text: Callable[[str], str]) -> JsonValue:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_each(each, text) for each in value]
    if isinstance(value, dict):
        return {text(name): _each(each, text) for name, each in value.items()}
    return value
