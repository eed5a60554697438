"""Parts of long lists: how much of one is asked for, and the headers that say how to go on."""

from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

Limit = Annotated[int, Field(ge=1, le=1000)]
Offset = Annotated[int, Field(ge=0, le=1_000_000_000)]


def set_page_headers(response: Response, *, total: int, offset: int, limit: int) -> None:
    """`X-Pagination-Total`, and `X-Pagination-Next` (an offset) while there is more."""
    response.headers["X-Pagination-Total"] = str(total)
    if offset + limit < total:
        response.headers["X-Pagination-Next"] = str(offset + limit)


def selected(item: dict[str, Any], select: list[Any] | None) -> dict[str, Any]:
    """The members that a caller asked for, all without a choice; `values.text` is one member of a member."""
    if select is None:
        return item
    chosen: dict[str, Any] = {name: item[name] for name in select if name in item}
    for name, _, inner in (wanted.partition(".") for wanted in select if "." in wanted):
        outer = item.get(name)
        if name not in select and isinstance(outer, dict):
            chosen.setdefault(name, {}).update({inner: outer[inner]} if inner in outer else {})
    return chosen
