"""Deterministic rules that answer in place of a model, so that the workflow runs without one. Shown as `stand-in`."""

import re
from collections.abc import Callable

from contracts.approval import JsonObject

_QUANTITY = re.compile(r"(?<![\w-])(\d{1,5})\s*(?:x\s)?\s*", re.IGNORECASE)
_WISH = re.compile(
    r"(?P<item>[^.,;:?!\n]{2,100}?)\s+(?:from|by|at)\s+(?P<supplier>[A-Z0-9][\w&-]*(?:\s+[A-Z0-9][\w&-]*){0,4})"
)
_BEFORE_ITEM = re.compile(r"^.*\b(?:order|buy|need|get|want|purchase|please|us|me)\b\s+", re.IGNORECASE)
_ONE = re.compile(r"\b(?:an?|one)\b\s+", re.IGNORECASE)


def read_request(values: JsonObject) -> JsonObject:
    """The first `<number> <things> from <Supplier>` of the newest text that has one."""
    for text in (values["reviewer_note"], values["clarification"], values["request"]):
        found = _WISH.search(str(text))
        if found:
            return _read(found["item"].strip(), found["supplier"])
    return {"supplier": "", "item": "", "quantity": None, "expected_cents": None, "expected_currency": ""}


def _read(said: str, supplier: str) -> JsonObject:
    said = _BEFORE_ITEM.sub("", said)
    number = _QUANTITY.match(said)
    one = None if number else _ONE.match(said)
    quantity = int(number[1]) if number and int(number[1]) else 1 if one else None
    item = said[(number or one).end() :] if number or one else said  # type: ignore[union-attr]  # one of them is there
    return {
        "supplier": supplier,
        "item": item.removeprefix("x "),
        "quantity": quantity,
        "expected_cents": None,
        "expected_currency": "",
    }


STAND_INS: dict[str, Callable[[JsonObject], JsonObject]] = {"read_request": read_request}
