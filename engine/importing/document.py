"""Reads a document that describes an API: JSON or YAML, with the line of what is wrong."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import DocumentRefused

_LARGEST = 20_000_000


def read_document(path: Path) -> Mapping[str, Any]:
    """The document's members. Raises `DocumentRefused` naming file, line and problem."""
    try:
        if path.stat().st_size > _LARGEST:
            raise DocumentRefused(f"{path.name} is larger than {_LARGEST // 1_000_000} MB.")
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentRefused(f"{str(path)!r} cannot be read: {type(error).__name__}.") from None
    found = _parsed(path.name, text)
    if not isinstance(found, Mapping):
        raise DocumentRefused(f"{path.name} holds no object of members.", hint="Is it an OpenAPI document?")
    return found


def _parsed(name: str, text: str) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise DocumentRefused(f"{name} is no JSON: {error}.") from None
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise DocumentRefused(f"{name}, {where}: {error.problem}.", hint="Mend the YAML there and try again.") from None
    except yaml.YAMLError as error:
        raise DocumentRefused(f"{name} is no YAML: {error}.") from None
