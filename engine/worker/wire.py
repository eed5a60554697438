"""What graphs stream as JSON text, whatever it holds: a reader's matter never fails a run."""

import base64
import json
import math
from collections.abc import Collection, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from typing import Any
from uuid import UUID

import orjson
from langgraph.types import Interrupt
from pydantic import BaseModel

from contracts.errors import GatehouseError

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
_DEPTH = 100


def encode(streamed: Any) -> str:
    """JSON text of a streamed object: messages as LangGraph's server sends them, errors without foreign text."""
    try:
        return orjson.dumps(streamed, default=_plain, option=_OPTIONS).decode()
    except TypeError:
        # Numbers beyond 64 bits, halves of characters, keys of other types, too deep: rare, and slower.
        return json.dumps(_tame(streamed, _DEPTH), allow_nan=False)


@singledispatch
def _plain(value: Any) -> Any:
    """What an object that JSON does not know is sent as."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return f"<{type(value).__name__}>"


@_plain.register
def _(value: BaseModel) -> Any:
    return value.model_dump()


@_plain.register
def _(value: Interrupt) -> Any:
    shown = {"id": value.id, "value": value.value}
    return shown | ({"response_schema": value.response_schema} if value.response_schema else {})


@_plain.register
def _(value: BaseException) -> str:
    return said(value)


@_plain.register
def _(value: Mapping) -> Any:  # type: ignore[type-arg]  # singledispatch takes classes
    return dict(value)


@_plain.register
def _(value: Collection) -> Any:  # type: ignore[type-arg]  # singledispatch takes classes
    return list(value)


@_plain.register
def _(value: Set) -> Any:  # type: ignore[type-arg]  # singledispatch takes classes
    return sorted(value, key=str)


@_plain.register(bytes)
@_plain.register(bytearray)
def _(value: bytes) -> str:
    return base64.b64encode(value).decode()


@_plain.register(date)
@_plain.register(Decimal)
@_plain.register(UUID)
def _(value: object) -> str:
    return str(value)


@_plain.register
def _(value: Enum) -> Any:
    return value.value


def said(error: BaseException) -> str:
    """What may be told of an error: the text of an unknown one may carry anything and stays in the worker's log."""
    return str(error) if isinstance(error, GatehouseError) else type(error).__name__


def _tame(value: Any, depth: int) -> Any:
    """The same in types that `json` takes, without halves of characters and not deeper than `depth`."""
    if depth == 0:
        return "…"
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_tame(str(k), depth): _tame(v, depth - 1) for k, v in value.items()}
    return _tame_other(value, depth - 1)


def _tame_other(value: Any, depth: int) -> Any:
    if isinstance(value, (list, tuple)):
        return [_tame(item, depth) for item in value]
    try:
        return _tame(_plain(value), depth)
    except (TypeError, ValueError, AttributeError):
        return f"<{type(value).__name__}>"
