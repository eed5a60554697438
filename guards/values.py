"""Values inside replies and texts: where they stand, and whether two of them are the same."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

_WORD = r"[^\W_]"


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


def says_value(text: str, value: str) -> bool:
    """Whether `text` holds `value` as a whole: `12` is not named by `120`, nor `a@b.co` by `a@b.com`."""
    wanted = folded_text(value)
    if not wanted:
        return False
    before = rf"(?<!{_WORD})(?<!{_WORD}[.@_-])" if wanted[0].isalnum() else ""
    after = rf"(?!{_WORD})(?![.@_-]{_WORD})" if wanted[-1].isalnum() else ""
    return re.search(before + re.escape(wanted) + after, folded_text(text)) is not None


def says_number(text: str, number: str, nouns: tuple[str, ...]) -> bool:
    """Whether `text` holds a bare number as the number of a thing: `file 13`, `order no. 13`, `#13`; not `June 13`."""
    called = "|".join(re.escape(folded_text(noun)) for noun in nouns)
    lead = rf"(?:#|(?:\b(?:{called})s?\s*(?:id|no\.?|number|nr\.?)?\s*[:#]?\s*))" if called else "#"
    return re.search(rf"{lead}{re.escape(folded_text(number))}(?!\w)", folded_text(text)) is not None


def is_bare_number(value: str) -> bool:
    """Whether a value could as well be a day, a quantity or a year: up to four digits and nothing else."""
    return re.fullmatch(r"\d{1,4}", value.strip()) is not None
