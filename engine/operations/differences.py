"""Where two JSON values differ, path by path."""

from collections.abc import Iterator, Mapping
from typing import Any

_ABSENT = object()


def differences(before: Any, after: Any) -> list[dict[str, Any]]:
    """Each place where they differ: `path` as `a.b.0`, the values `before` and `after`, null where there is none."""
    return [{"path": path, "before": _null(old), "after": _null(new)} for path, old, new in _walk("", before, after)]


def _walk(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from _walk(_join(path, name), before.get(name, _ABSENT), after.get(name, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else _ABSENT
            new = after[index] if index < len(after) else _ABSENT
            yield from _walk(_join(path, index), old, new)
    elif before is _ABSENT or after is _ABSENT or before != after:
        yield path, before, after


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _null(value: Any) -> Any:
    return None if value is _ABSENT else value
