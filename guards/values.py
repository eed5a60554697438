"""Whether a text says a value as a whole."""

import re

from contracts.values import folded_text

_WORD = r"[^\W_]"


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
