"""Values inside arguments and replies: where they stand, and whether two of them are the same."""

import unicodedata
from collections.abc import Iterator, Mapping

from pydantic import JsonValue


def texts_below(value: JsonValue, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text and number below `value` with its dotted path; lists are passed through, empty values left out."""
    match value:
        case dict():
            for name, below in value.items():
                yield from texts_below(below, f"{path}.{name}" if path else name)
        case list():
            for below in value:
                yield from texts_below(below, path)
        case None | bool() | "":
            return
        case _:
            yield path, str(value)


def texts_at(args: Mapping[str, JsonValue], path: str) -> tuple[str, ...]:
    """The texts and numbers at a dotted path of a call's arguments."""
    return tuple(text for found, text in texts_below(dict(args)) if stands_below(found, path))


def stands_below(path: str, above: str) -> bool:
    """Whether `path` is `above` or stands below it."""
    return path == above or path.startswith(f"{above}.")


def folded_text(text: str) -> str:
    """One form for all ways to write the same: width, case and white space do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
