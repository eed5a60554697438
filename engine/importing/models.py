"""JSON Schemas as source of closed, bounded models; refuses what cannot be narrow."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from contracts.errors import NotNarrow
from engine.importing.operation import Schema, class_name

_LONGEST_TEXT = 1_000
_MOST_ITEMS = 100
_MONEY = re.compile(r"(amount|price|cost|fee|refund|balance|payment|money|total)", re.IGNORECASE)
_FORMATS = {
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,18}(Z|[+-][0-9]{2}:[0-9]{2})$",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "email": r"^[^@\s,;<>]+@[^@\s,;<>]+$",
}
_LIMITS = {
    **{"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"},
    **{"minLength": "min_length", "maxLength": "max_length", "minItems": "min_length", "maxItems": "max_length"},
    "multipleOf": "multiple_of",
}


class ModelWriter:
    """Classes for the schemas of one file: each object becomes one, under a name of its own."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._classes: dict[str, str] = {}
        self._made: dict[str, tuple[str, str]] = {}
        self._open: list[str] = []

    @property
    def sources(self) -> list[str]:
        """The classes in an order in which each stands behind what it uses."""
        return list(self._classes.values())

    def add(self, name: str, fields: list[str], doc: str = "It holds nothing.") -> str:
        """Keep a class, `doc` where it has no fields; one of the same name and content is the same one."""
        source = "\n".join([f"class {name}(ToolModel):", *(f"    {line}" for line in fields or [f'"""{doc}"""'])])
        taken, number = name, 2
        while taken in self._classes and self._classes[taken] != source.replace(f"class {name}(", f"class {taken}(", 1):
            taken, number = f"{name}{number}", number + 1
        self._classes[taken] = source.replace(f"class {name}(", f"class {taken}(", 1)
        return taken

    def type_of(self, schema: Schema, name: str, where: str, *, asked: bool) -> str:
        """The annotation for a schema. `asked`: it is part of a request, so it has to be bounded and listed.

        Raises `NotNarrow` naming `where`.
        """
        found = self._resolved(schema, where)
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return self._type_of(found, name, where, asked=asked)
        if reference in self._open:
            raise NotNarrow(f"{where} refers to itself ({reference}): it has no bound.")
        known = self._made.get(f"{reference} {asked}")
        if known:
            return known[1]
        self._open.append(reference)
        own = class_name(reference.rpartition("/")[2])
        made = self._type_of(found, own, where, asked=asked)
        self._open.pop()
        self._made[f"{reference} {asked}"] = (own, made)
        return made

    def _type_of(self, schema: Schema, name: str, where: str, *, asked: bool) -> str:
        if "allOf" in schema:
            schema = self._merged(schema, where)
        if union := (schema.get("oneOf") or schema.get("anyOf")):
            types = [self.type_of(one, f"{name}{n}" if n else name, where, asked=asked) for n, one in enumerate(union)]
            return " | ".join(dict.fromkeys(part for one in types for part in one.split(" | ")))
        if "const" in schema or "enum" in schema:
            return self._listed(schema, where)
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else list(kinds or [])
        if schema.get("nullable"):
            kinds.append("null")
        if not kinds and "properties" in schema:
            kinds = ["object"]
        if not kinds:
            raise NotNarrow(f"{where} may be anything: it has no type.")
        types = [self._of_kind(kind, schema, name, where, asked=asked) for kind in dict.fromkeys(kinds)]
        return " | ".join(sorted(types, key=lambda one: one == "None"))

    def _of_kind(self, kind: str, schema: Schema, name: str, where: str, *, asked: bool) -> str:
        match kind:
            case "null" | "boolean":
                return {"null": "None", "boolean": "bool"}[kind]
            case "integer" | "number":
                return _number(kind, schema, where)
            case "string":
                return _text(schema, where, asked=asked)
            case "array":
                return self._list(schema, name, where, asked=asked)
            case "object":
                return self._object(schema, name, where, asked=asked)
        raise NotNarrow(f"{where} is of the type {kind!r}, which is none of JSON's.")

    def _list(self, schema: Schema, name: str, where: str, *, asked: bool) -> str:
        items = self.type_of(schema.get("items", {}), f"{name}Item", f"{where}[]", asked=asked)
        limits = dict(_limits(schema, ("minItems", "maxItems")))
        if asked:
            limits.setdefault("max_length", str(_MOST_ITEMS))
        return _annotated(f"tuple[{items}, ...]", limits)

    def _object(self, schema: Schema, name: str, where: str, *, asked: bool) -> str:
        members = schema.get("properties", {})
        if not members:
            raise NotNarrow(f"{where} is an object whose members nobody lists.")
        if asked and schema.get("additionalProperties") not in (None, False):
            raise NotNarrow(f"{where} takes members that it does not list (additionalProperties).")
        required = set(schema.get("required", []))
        fields = []
        for member, part in members.items():
            if (asked and part.get("readOnly")) or (not asked and part.get("writeOnly")):
                continue
            if not member.isidentifier() or member.startswith(("_", "model_")):
                if member in required and asked:
                    raise NotNarrow(f"{where}.{member} is needed and is no name of a field.")
                continue
            annotation = self.type_of(part, f"{name}{class_name(member)}", f"{where}.{member}", asked=asked)
            fields.append(field_line(member, annotation, required=member in required, asked=asked))
        return self.add(name, fields)

    def _listed(self, schema: Schema, where: str) -> str:
        values = [schema["const"]] if "const" in schema else list(schema["enum"])
        if not all(value is None or isinstance(value, (str, int, bool)) for value in values):
            raise NotNarrow(f"{where} lists values that are neither texts nor whole numbers.")
        literal = ", ".join(_quoted(value) for value in values if value is not None)
        null = " | None" if None in values or schema.get("nullable") else ""
        return f"Literal[{literal}]{null}"

    def _merged(self, schema: Schema, where: str) -> dict[str, Any]:
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            found = self._resolved(part, where)
            found = self._merged(found, where) if "allOf" in found else found
            for key, value in found.items():
                if key == "properties":
                    merged[key] = {**merged.get(key, {}), **value}
                elif key == "required":
                    merged[key] = [*merged.get(key, []), *value]
                else:
                    merged.setdefault(key, value)
        return merged

    def _resolved(self, schema: Schema, where: str) -> Schema:
        return resolved(self._document, schema, where)


def resolved(document: Mapping[str, Any], schema: Schema, where: str) -> Schema:
    """What a `$ref` within the document leads to. Raises `NotNarrow` for one that leads nowhere or outside."""
    found: Any = schema
    for _ in range(20):
        reference = found.get("$ref") if isinstance(found, Mapping) else None
        if reference is None:
            break
        if not str(reference).startswith("#/"):
            raise NotNarrow(f"{where} refers to another document ({reference}).")
        found = document
        for step in str(reference)[2:].split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise NotNarrow(f"{where} refers to something that is not there.")
    return found


def field_line(name: str, annotation: str, *, required: bool, asked: bool) -> str:
    """One member of a class. What may be left out of a request is None there, and is not sent."""
    if required:
        # A request that may say nothing has another way to do so: leave it out.
        return f"{name}: {annotation.removesuffix(' | None') if asked else annotation}"
    return f"{name}: {annotation if annotation.endswith('None') else f'{annotation} | None'} = None"


def _number(kind: str, schema: Schema, where: str) -> str:
    if kind == "number" and _MONEY.search(where.rpartition(".")[2]):
        raise NotNarrow(f"{where} is money as a number with binary fractions, which cannot hold a cent.")
    limits = dict(_limits(schema, ("minimum", "maximum", "exclusiveM", "multiple")))
    return _annotated("int" if kind == "integer" else "float", limits)


def _text(schema: Schema, where: str, *, asked: bool) -> str:
    form = schema.get("format", "")
    if form in ("binary", "byte", "base64") or schema.get("contentEncoding"):
        raise NotNarrow(f"{where} is a file or bytes.")
    limits = dict(_limits(schema, ("minLength", "maxLength")))
    if pattern := _pattern(schema.get("pattern") or _FORMATS.get(form, "")):
        limits["pattern"] = pattern
    if asked:
        limits.setdefault("max_length", str(_LONGEST_TEXT))
    return _annotated("str", limits)


def _pattern(pattern: str) -> str:
    """The pattern as source, if pydantic's engine, which looks neither ahead nor behind nor back, can use it."""
    if not pattern or re.search(r"\(\?[=!<]|\\[1-9]", pattern) or "\n" in pattern:
        return ""
    return f'r"{pattern}"' if '"' not in pattern and not pattern.endswith("\\") else repr(pattern)


def _limits(schema: Schema, known: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key, value in schema.items():
        if key in _LIMITS and key.startswith(known) and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield _LIMITS[key], json.dumps(value)


def _annotated(plain: str, limits: Mapping[str, str]) -> str:
    if not limits:
        return plain
    return f"Annotated[{plain}, Field({', '.join(f'{name}={value}' for name, value in limits.items())})]"


def _quoted(value: str | int | bool) -> str:
    return json.dumps(value, ensure_ascii=True) if isinstance(value, str) else repr(value)
