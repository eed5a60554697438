"""The counting system that `gatehouse conform` serves: it pays nothing and remembers every order."""

from typing import Annotated

from pydantic import Field

from contracts.tool import Call, ToolModel, tool


class Refund(ToolModel):
    case: Annotated[str, Field(min_length=1, max_length=80)]
    amount: Annotated[int, Field(ge=1)]
    """Whole euros."""


class Paid(ToolModel):
    case: str
    amount: int


@tool(
    effect="at_most_once",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("payments:refund",),
    target="case",
    undo="Not possible: it has been counted.",
)
async def refund(request: Refund, call: Call) -> Paid:
    """Count a refund; every order counts, also a repeated one."""
    return Paid.model_validate(await call.send("POST", "/refund", body=request.model_dump(mode="json")))
