"""Chosen tools of an MCP server as operations: each narrow or refused."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from contracts.errors import NotFound, NotNarrow
from engine.importing.operation import Operation, Parameter, python_name, sentence
from engine.importing.writing import source_of
from engine.mcp_servers.servers import Said


def operations_of_server(
    offered: Mapping[str, Said], only: Sequence[str]
) -> tuple[list[Operation], dict[str, JsonValue]]:
    """The tools of these names, and the document that their schemas refer to.

    Raises `NotFound` naming near ones, `NotNarrow` with every reason.
    """
    made: list[Operation] = []
    refused: list[str] = []
    document: dict[str, JsonValue] = {}
    for name in dict.fromkeys(only):
        if name not in offered:
            near = difflib.get_close_matches(name, offered, n=3, cutoff=0.5)
            offers = f"It offers: {', '.join(sorted(offered))}."
            meant = f"Did you mean {' or '.join(map(repr, near))}?" if near else offers
            raise NotFound(f"The server offers no tool {name!r}.", hint=meant)
        try:
            made.append(_operation(offered[name], document))
            source_of(made[-1:], document, system="tried", about="")
        except NotNarrow as error:
            refused.append(f"{name}: {error.detail}")
    if refused:
        raise NotNarrow("\n".join(refused), hint="Have the server offer a narrower tool.")
    return made, document


def _operation(said: Said, document: dict[str, JsonValue]) -> Operation:
    asked = _placed(said.members["inputSchema"], f"{said.name} asked", document)
    told = said.members.get("outputSchema") or {"type": "string", "maxLength": 20_000}
    if asked.get("additionalProperties") not in (None, False):
        raise NotNarrow("it takes arguments that it does not list (additionalProperties).")
    needed = set(asked.get("required", []))
    parameters = [
        Parameter(wire, wire, "arguments", part, wire in needed) for wire, part in asked.get("properties", {}).items()
    ]
    if unnamed := [one.wire for one in parameters if not one.wire.isidentifier() or one.wire.startswith("model_")]:
        raise NotNarrow(f"its argument {unnamed[0]!r} is no name of a field.")
    return Operation(
        name=python_name(said.name),
        original=said.name,
        summary=sentence(str(said.members.get("description", "")), python_name(said.name).replace("_", " ")),
        parameters=tuple(parameters),
        reply=_placed(told, f"{said.name} told", document),
    )


def _placed(schema: Any, place: str, document: dict[str, JsonValue]) -> Any:
    """The schema where it stands in the document of all, its references led there."""
    document[place] = _led(schema, place)
    return document[place]


def _led(part: Any, place: str) -> Any:
    if isinstance(part, dict):
        return {
            key: f"#/{place}{value[1:]}" if key == "$ref" and str(value).startswith("#/") else _led(value, place)
            for key, value in part.items()
        }
    return [_led(one, place) for one in part] if isinstance(part, list) else part
