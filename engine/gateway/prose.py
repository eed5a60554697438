"""Takes card numbers and IBANs out of the free text of tools' replies: there they are strays, never business data.

A number in a field that the contract types (a pattern, a format, a list of values) is what the field is for: a
supplier's bank account stays.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from contracts.sensitive import find_numbers, mask
from contracts.tool import Reply

_MAY_HOLD_ONE = re.compile(r"\d[ -]?\d{2,}(?:[ -]?[A-Z0-9]){8,}")


def without_strays(reply: Reply) -> Reply:
    """The reply with placeholders in place of card numbers and IBANs in its free text."""
    if not _MAY_HOLD_ONE.search(reply.model_dump_json()):
        return reply
    schema = reply.model_json_schema()
    told = reply.model_dump(mode="json")
    cleaned = _cleaned(told, schema, cast("Mapping[str, Any]", schema.get("$defs", {})))
    return reply if cleaned == told else type(reply).model_validate(cleaned)


def _cleaned(value: Any, part: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    part = defs.get(str(part.get("$ref", "")).rpartition("/")[2], part)
    if alternatives := (part.get("anyOf") or part.get("oneOf")):
        # Typed in one of them is typed.
        fitting = [_cleaned(value, one, defs) for one in alternatives if _fits(value, one, defs)]
        return value if value in fitting or not fitting else fitting[0]
    match value:
        case str() if not part.keys() & {"pattern", "format", "enum", "const"}:
            return mask(value, find_numbers)
        case list():
            return [_cleaned(item, part.get("items", {}), defs) for item in value]
        case dict():
            known, other = part.get("properties", {}), part.get("additionalProperties")
            rest = other if isinstance(other, Mapping) else {}
            return {name: _cleaned(inner, known.get(name, rest), defs) for name, inner in value.items()}
    return value


def _fits(value: Any, part: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    """Whether the value is of the kind of the part; for objects, whether it has the same members."""
    part = defs.get(str(part.get("$ref", "")).rpartition("/")[2], part)
    match value:
        case str():
            pattern = str(part.get("pattern", ""))
            return part.get("type") == "string" and re.search(pattern, value) is not None
        case dict():
            return part.get("type") == "object" and value.keys() <= part.get("properties", value).keys()
        case list():
            return part.get("type") == "array"
    return True
