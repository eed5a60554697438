"""Types of facts in Cedar: which one a fact has, and whether a value fits. What does not fit counts as missing."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import JsonValue

from contracts.errors import ConfigurationError
from contracts.policy import HOST, Condition, FactType, Policy
from contracts.tool import AnyTool, ToolModel

_LARGEST = 2**63 - 1
_DECIMAL = re.compile(r"-?\d{1,14}(\.\d{1,4})?")


class Kind(StrEnum):
    """As Cedar calls it. There is no floating point."""

    LONG = "Long"
    BOOL = "Bool"
    TEXT = "String"
    DECIMAL = "decimal"
    TEXTS = "Set<String>"


Kinds = Mapping[str, Kind]

APPROVED, MODE, TAINTED = f"{HOST}approved", f"{HOST}mode", f"{HOST}tainted"
HOST_KINDS: Kinds = {APPROVED: Kind.TEXTS, MODE: Kind.TEXT, TAINTED: Kind.TEXTS}
"""What every action knows of its run: who has approved it, the workflow's mode, which arguments are not trusted."""

_DECLARED: Mapping[FactType, Kind] = {
    "text": Kind.TEXT,
    "whole": Kind.LONG,
    "decimal": Kind.DECIMAL,
    "flag": Kind.BOOL,
    "texts": Kind.TEXTS,
}
_JSON_TYPES = {"integer": Kind.LONG, "boolean": Kind.BOOL, "string": Kind.TEXT}


def kinds_of(policy: Policy, tool: AnyTool) -> Kinds:
    """The type of each fact that policies for `tool` can read: by rules, else as declared, else by its request.

    Raises `ConfigurationError` for a rule that compares what Cedar cannot, or one fact as two types.
    """
    declared = {name: _DECLARED[said] for name, said in policy.facts.get(tool.name, {}).items()}
    request: type[ToolModel] = tool.request
    return {**_of_request(request), **declared, **_of_rules(policy, tool.name), **HOST_KINDS}


def is_decimal(value: object) -> bool:
    return isinstance(value, str) and _DECIMAL.fullmatch(value) is not None


def fitted(value: JsonValue, kind: Kind) -> JsonValue:
    """The value as Cedar reads it; None for one of another type, or one that Cedar cannot hold."""
    match kind:
        case Kind.LONG:
            return value if _is_whole(value) else None
        case Kind.BOOL:
            return value if isinstance(value, bool) else None
        case Kind.TEXT:
            return value if _is_text(value) else None
        case Kind.DECIMAL:
            return with_places(value) if isinstance(value, str) and is_decimal(value) else None
        case Kind.TEXTS:
            return value if isinstance(value, list) and all(map(_is_text, value)) else None


def with_places(value: str) -> str:
    """Cedar wants a point in every decimal."""
    return value if "." in value else f"{value}.0"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _is_text(value: object) -> bool:
    """Half a surrogate pair is no text that can be written down."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


@cache
def _of_request(request: type[ToolModel]) -> Mapping[str, Kind]:
    properties: dict[str, Any] = request.model_json_schema().get("properties", {})
    return {name: kind for name, said in properties.items() if (kind := _of_schema(said))}


def _of_schema(said: Mapping[str, Any]) -> Kind | None:
    others = [one for one in said.get("anyOf", ()) if one.get("type") != "null"]
    if len(others) == 1:
        return _of_schema(others[0])
    if said.get("type") == "array" and said.get("items", {}).get("type") == "string":
        return Kind.TEXTS
    return _JSON_TYPES.get(said.get("type", ""))


def _of_rules(policy: Policy, tool: str) -> dict[str, Kind]:
    found: dict[str, Kind] = dict(HOST_KINDS)
    for rule in policy.rules:
        for condition in rule.when if rule.tool == tool else ():
            for kind in _wanted(rule.id, condition):
                before = found.setdefault(condition.fact, kind)
                found[condition.fact] = _agreed(rule.id, condition, {before, kind})
    _require_decimals(policy, tool, found)
    return found


def _wanted(rule: str, condition: Condition) -> Iterator[Kind]:
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    if condition.operator == "contains":
        if all(map(_is_text, values)):
            yield Kind.TEXTS
            return
    elif condition.operator in ("above", "at_most"):
        if all(map(_is_whole, values)) or all(map(is_decimal, values)):
            yield Kind.LONG if _is_whole(condition.value) else Kind.DECIMAL
            return
    elif all(_is_whole(value) or _is_text(value) or isinstance(value, bool) for value in values):
        yield from (_of_value(value) for value in values)
        return
    raise ConfigurationError(
        f"Rule {rule!r} compares {condition.fact!r} with {condition.value!r}, which is no text, whole number, decimal"
        " string or truth value that Cedar can hold."
    )


def _of_value(value: JsonValue) -> Kind:
    if isinstance(value, bool):
        return Kind.BOOL
    return Kind.LONG if isinstance(value, int) else Kind.TEXT


def _agreed(rule: str, condition: Condition, kinds: set[Kind]) -> Kind:
    """A decimal is written as text, so the two go together; nothing else does."""
    if kinds == {Kind.TEXT, Kind.DECIMAL}:
        return Kind.DECIMAL
    if len(kinds) > 1:
        raise ConfigurationError(
            f"Rule {rule!r} reads {condition.fact!r} as another type than a rule before it: {', '.join(sorted(kinds))}."
        )
    return kinds.pop()


def _require_decimals(policy: Policy, tool: str, kinds: Kinds) -> None:
    for rule in policy.rules:
        for condition in rule.when if rule.tool == tool else ():
            values = condition.value if isinstance(condition.value, list) else [condition.value]
            if kinds.get(condition.fact) is Kind.DECIMAL and not all(map(is_decimal, values)):
                raise ConfigurationError(
                    f"Rule {rule.id!r} compares the sum {condition.fact!r} with {condition.value!r}, which is no"
                    " decimal string such as '100.00'."
                )
