"""Takes out of what is written into a case what must not be kept there."""

from typing import TypeVar, cast

from pydantic import JsonValue

from engine.credentials.redactor import KNOWN

REDACTION = 1
"""Rises when what is masked changes: cases that were recorded before may hold more."""

_Value = TypeVar("_Value", bound=JsonValue)


def masked(value: _Value) -> _Value:
    """`value` without secrets, card numbers and IBANs in any of its texts. Names and addresses stay."""
    return cast(_Value, _masked(value))


def _masked(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return KNOWN.prose(value)
    if isinstance(value, list):
        return [_masked(each) for each in value]
    if isinstance(value, dict):
        return {KNOWN.prose(name): _masked(each) for name, each in value.items()}
    return value
