"""Operations of OpenAPI 3.0 and 3.1 documents: chosen by name, each narrow or refused."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.errors import DocumentRefused, NotFound, NotNarrow
from engine.importing.models import resolved
from engine.importing.operation import Operation, Parameter, Place, Schema, python_name, sentence
from engine.importing.writing import source_of

_METHODS = ("get", "put", "post", "delete", "patch")
_JSON = re.compile(r"application/(.+\+)?json")
_PLACES: tuple[Place, ...] = ("path", "query", "header")
_OURS = {"authorization", "accept", "content-type", "idempotency-key", "host", "cookie", "content-length"}
"""Headers that the gateway sends itself, and no model says."""


def operations_of(document: Mapping[str, Any], only: Sequence[str]) -> list[Operation]:
    """The operations of these names (`operationId`, or `GET /path`), in the order in which they are asked for.

    Raises `NotFound` naming near ones, `DocumentRefused`, `NotNarrow` with every reason.
    """
    if not str(document.get("openapi", "")).startswith("3."):
        raise DocumentRefused(
            f"This is no OpenAPI 3 document: it says {document.get('openapi', document.get('swagger', 'nothing'))!r}.",
            hint="Convert a document of Swagger 2 first.",
        )
    known = {name: place for place in _all(document) for name in place.names}
    chosen = []
    for name in dict.fromkeys(only):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            meant = f"Did you mean {' or '.join(map(repr, near))}?" if near else "See its `operationId`s."
            raise NotFound(f"The document has no operation {name!r}.", hint=meant)
        chosen.append(known[name])
    return _all_or_none(document, chosen)


class _Found:
    """An operation where it stands in the document."""

    def __init__(self, path: str, method: str, said: Mapping[str, Any], beside: Mapping[str, Any]) -> None:
        self.path, self.method, self.said, self.beside = path, method, said, beside

    @property
    def names(self) -> list[str]:
        own = self.said.get("operationId")
        return [*([str(own)] if own else []), f"{self.method.upper()} {self.path}"]


def _all(document: Mapping[str, Any]) -> Iterator[_Found]:
    for path, item in (document.get("paths") or {}).items():
        for method in _METHODS:
            if isinstance(item, Mapping) and isinstance(item.get(method), Mapping):
                yield _Found(path, method, item[method], item)


def _all_or_none(document: Mapping[str, Any], chosen: Sequence[_Found]) -> list[Operation]:
    made, refused = [], []
    for found in chosen:
        try:
            operation = _operation(document, found)
            source_of([operation], document, system="tried", about="")
            made.append(operation)
        except NotNarrow as error:
            refused.append(f"{found.names[0]}: {error.detail}")
    if refused:
        raise NotNarrow(
            "\n".join(refused), hint="Write a narrow tool for it by hand, or have the API offer a narrower operation."
        )
    return made


def _operation(document: Mapping[str, Any], found: _Found) -> Operation:
    name = found.names[0]
    body, whole = _body(document, found)
    parameters = _apart([*_parameters(document, found), *body])
    named = python_name(str(found.said.get("operationId") or f"{found.method} {found.path}"))
    described = str(found.said.get("summary") or found.said.get("description") or "")
    return Operation(
        name=named,
        original=name,
        summary=sentence(described, named.replace("_", " ")),
        parameters=tuple(parameters),
        reply=_reply(document, found),
        method=found.method.upper(),
        path=_path(found),
        whole_body=whole,
        facts=("The document calls it deprecated.",) if found.said.get("deprecated") else (),
    )


def _path(found: _Found) -> str:
    if not re.fullmatch(r"(/([\w.~:@!$&'()*+,;=-]|\{\w[\w.-]*\})*)+", found.path):
        raise NotNarrow(f"its path {found.path!r} holds what no path should.")
    return found.path


def _parameters(document: Mapping[str, Any], found: _Found) -> Iterator[Parameter]:
    listed: dict[tuple[str, str], Mapping[str, Any]] = {}
    for given in (*(found.beside.get("parameters") or ()), *(found.said.get("parameters") or ())):
        parameter = resolved(document, given, "a parameter")
        listed[str(parameter.get("in")), str(parameter.get("name"))] = parameter
    for (place, wire), parameter in listed.items():
        needed = place == "path" or bool(parameter.get("required"))
        if place == "header" and wire.lower() in _OURS:
            continue
        if place == "cookie":
            if needed:
                raise NotNarrow(f"it needs the cookie {wire!r}.")
            continue
        if "schema" not in parameter:
            raise NotNarrow(f"its parameter {wire!r} has no schema.")
        schema = resolved(document, parameter["schema"], wire)
        plain = "form" if place == "query" else "simple"
        if schema.get("type") == "object":
            raise NotNarrow(f"its parameter {wire!r} is an object within an address.")
        if schema.get("type") == "array" and place == "query" and parameter.get("explode", True):
            raise NotNarrow(f"its parameter {wire!r} repeats its name in the address; only `explode: false` is sent.")
        if (style := parameter.get("style", plain)) != plain:
            raise NotNarrow(f"its parameter {wire!r} is written in the style {style!r}.")
        where: Place = next(one for one in _PLACES if one == place)
        yield Parameter(python_name(wire), wire, where, {**schema, **_bounded(schema, where)}, needed)


def _bounded(schema: Schema, place: Place) -> dict[str, Any]:
    """What stands in a path names one thing: it is short, and no list of steps."""
    plain = place == "path" and schema.get("type") == "string" and not schema.keys() & {"pattern", "enum", "format"}
    return {"pattern": r"^[^/?#\s]+$", "maxLength": schema.get("maxLength", 200)} if plain else {}


def _body(document: Mapping[str, Any], found: _Found) -> tuple[list[Parameter], bool]:
    if "requestBody" not in found.said:
        return [], False
    body = resolved(document, found.said["requestBody"], "its body")
    content = body.get("content") or {}
    kinds = [kind for kind in content if _JSON.fullmatch(kind.partition(";")[0])]
    if not kinds:
        raise NotNarrow(f"its body is no JSON but {', '.join(content) or 'nothing'} (files and forms are not sent).")
    schema = content[kinds[0]].get("schema")
    if not schema:
        raise NotNarrow("its body may be anything: it has no schema.")
    said = resolved(document, schema, "its body")
    members = said.get("properties")
    if said.get("type", "object") != "object" or not members or said.keys() & {"allOf", "oneOf", "anyOf"}:
        return [Parameter("body", "body", "body", schema, bool(body.get("required", True)))], True
    if said.get("additionalProperties") not in (None, False):
        raise NotNarrow("its body takes members that it does not list (additionalProperties).")
    needed = set(said.get("required", []))
    named = [(wire, part) for wire, part in members.items() if not part.get("readOnly")]
    return [Parameter(python_name(wire), wire, "body", part, wire in needed) for wire, part in named], False


def _apart(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    """Two parameters of one name are told apart by their place."""
    names = [parameter.name for parameter in parameters]
    for parameter in parameters:
        clashes = names.count(parameter.name) > 1 or parameter.name.startswith("model_")
        name = f"{parameter.place}_{parameter.name}" if clashes else parameter.name
        yield Parameter(name, parameter.wire, parameter.place, parameter.schema, parameter.required)


def _reply(document: Mapping[str, Any], found: _Found) -> Schema | None:
    answers = {str(status): answer for status, answer in (found.said.get("responses") or {}).items()}
    good = sorted(status for status in answers if status.startswith("2"))
    if not good:
        raise NotNarrow("it says nothing about what a good answer is.")
    answer = resolved(document, answers[good[0]], "its reply")
    content = answer.get("content") or {}
    if not content:
        return None
    kinds = [kind for kind in content if _JSON.fullmatch(kind.partition(";")[0])]
    if not kinds or not content[kinds[0]].get("schema"):
        raise NotNarrow("what it answers is no JSON with a schema.")
    schema: Schema = content[kinds[0]]["schema"]
    return schema
