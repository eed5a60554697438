"""The counter: an outside system that keeps what it was asked to count. `tests/outside.py` serves it."""

from typing import Annotated

from pydantic import Field

from contracts.tool import Call, ToolModel, tool


class Count(ToolModel):
    case: Annotated[str, Field(min_length=1, max_length=80)]
    """Whatever the caller tells cases apart by."""
    number: Annotated[int, Field(ge=1)]
    """Which effect of the case this is, from 1."""


class Counted(ToolModel):
    case: str
    number: int
    times: int
    """How often this number of this case has been counted by now."""


@tool(
    effect="idempotent",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("counter:count",),
    target="case",
    idempotent_by=("case", "number"),
    undo="Not possible: it has been counted.",
)
async def add(request: Count, call: Call) -> Counted:
    """Count once for each idempotency key."""
    return Counted.model_validate(await call.send("POST", "/additions", body=request.model_dump(mode="json")))


@tool(
    effect="at_most_once",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("counter:count",),
    target="case",
    undo="Not possible: it has been counted.",
)
async def press(request: Count, call: Call) -> Counted:
    """Count once for each request that arrives: the counter does not look at keys here."""
    return Counted.model_validate(await call.send("POST", "/presses", body=request.model_dump(mode="json")))
