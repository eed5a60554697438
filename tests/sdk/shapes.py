"""Whether what a server answered is what `langgraph_sdk.schema` says it is."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict


def require_fit(value: Any, hint: Any) -> None:
    """Fail with every place where the value is not what the hint says; times are text in ISO 8601."""
    assert list(misfits(value, hint)) == []


def misfits(value: Any, hint: Any, at: str = "") -> Iterator[str]:
    """What is wrong with a value, and where."""
    if get_origin(hint) is NotRequired:
        hint = get_args(hint)[0]
    if is_typeddict(hint):
        yield from _object(value, hint, at)
    elif get_origin(hint) in (Union, UnionType):
        if all(list(misfits(value, option, at)) for option in get_args(hint)):
            yield f"{at}: {value!r} is none of {hint}"
    elif get_origin(hint) is Literal:
        if value not in get_args(hint):
            yield f"{at}: {value!r} is not one of {get_args(hint)}"
    else:
        yield from _other(value, hint, at)


def _object(value: Any, hint: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r} is not an object"
        return
    hints = get_type_hints(hint, include_extras=True)
    for name, member in hints.items():
        if name in value:
            yield from misfits(value[name], member, f"{at}.{name}")
        elif name in hint.__required_keys__ and get_origin(member) is not NotRequired:
            yield f"{at}.{name} is missing"


def _other(value: Any, hint: Any, at: str) -> Iterator[str]:
    kind = get_origin(hint) or hint
    if kind in (list, Sequence):
        if not isinstance(value, list):
            yield f"{at}: {value!r} is not a list"
            return
        for number, item in enumerate(value):
            yield from misfits(item, (get_args(hint) or (Any,))[0], f"{at}[{number}]")
    elif kind in (dict, Mapping):
        if not isinstance(value, dict):
            yield f"{at}: {value!r} is not an object"
            return
        for name, item in value.items():
            yield from misfits(item, (get_args(hint) or (str, Any))[1], f"{at}.{name}")
    elif kind is datetime:
        yield from _time(value, at)
    elif not _is(value, kind):
        yield f"{at}: {value!r} is not {kind}"


def _time(value: Any, at: str) -> Iterator[str]:
    try:
        if datetime.fromisoformat(value).tzinfo is None:
            yield f"{at}: {value!r} has no zone"
    except (TypeError, ValueError):
        yield f"{at}: {value!r} is not a time"


def _is(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind in (str, bool, int, type(None)):
        return type(value) is kind
    if kind is float:
        return type(value) in (int, float)
    return getattr(kind, "_is_protocol", False) and isinstance(value, dict)
