"""Reads the JSON Schemas of tools' requests and replies."""

from functools import cache
from typing import cast

from pydantic import BaseModel, JsonValue

Part = dict[str, JsonValue]


def schema_of(model: type[BaseModel]) -> Part:
    """The schema of a model, to be read only: it is made once, since every rule about tools asks for it."""
    return _made(model)


@cache
def _made(model: type[BaseModel]) -> Part:
    return cast(Part, model.model_json_schema())


def parts_of(model: type[BaseModel]) -> dict[str, Part]:
    """The schema of a model and of each model inside it, by name."""
    schema = schema_of(model)
    inner = cast("dict[str, Part]", schema.get("$defs", {}))
    return {model.__name__: schema} | {name: part for name, part in inner.items() if name != model.__name__}


def is_free_text(part: Part) -> bool:
    """Whether it is a text whose values nobody lists; it may have a pattern."""
    return part.get("type") == "string" and not part.keys() & {"enum", "const", "format"}
