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
    """The members that a caller asked for; all without a choice."""
    return item if select is None else {name: item[name] for name in select if name in item}
