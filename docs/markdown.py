"""How generated Markdown is put together: pages, tables, and sections between two markers of a written page."""

import re
from collections.abc import Iterable, Sequence

_WRITTEN = "<!-- Written by `python -m docs.generate`; edit the code that it is read from. -->"


def page(title: str, *parts: str) -> str:
    """A page that is generated as a whole."""
    return "\n\n".join((f"# {title}", _WRITTEN, *parts)) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar in a cell is escaped."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_section(text: str, name: str, content: str) -> str:
    """`text` with `content` between `<!-- name -->` and `<!-- /name -->`. Raises ValueError without the two markers."""
    start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    replaced, found = re.subn(
        f"(?s){re.escape(start)}.*?{re.escape(end.lstrip())}", lambda _: start + content + end, text
    )
    if found != 1:
        raise ValueError(f"the markers of the section {name!r} stand {found} times in the page, not once")
    return replaced
