"""The counter: an outside system that keeps what it was asked to count. `tests/outside.py` serves it."""

from typing import Annotated

from pydantic import Field, JsonValue

from contracts.tool import Accepted, Call, Compensation, ToolModel, tool


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


class TakenBack(ToolModel):
    case: Annotated[str, Field(min_length=1, max_length=80)]
    number: Annotated[int, Field(le=-1)]
    """Minus the number that was lent."""


@tool(
    effect="idempotent",
    reversibility="compensable",
    blast_radius="customer",
    scopes=("counter:count",),
    target="case",
    idempotent_by=("case", "number"),
    undo="Lend it again.",
)
async def take_back(request: TakenBack, call: Call) -> Counted:
    """Count minus a number, once for each idempotency key."""
    return Counted.model_validate(await call.send("POST", "/additions", body=request.model_dump(mode="json")))


@tool(
    effect="idempotent",
    reversibility="compensable",
    blast_radius="customer",
    scopes=("counter:count",),
    target="case",
    idempotent_by=("case", "number"),
    amount="number",
    compensation=Compensation(take_back, lambda lent, _: TakenBack(case=lent.case, number=-lent.number)),
    undo="Take it back.",
)
async def lend(request: Count, call: Call) -> Counted:
    """Count once for each idempotency key, until it is taken back."""
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


async def find_order(request: Count, call: Call) -> Counted | None:
    """What the counter knows of an order with the call's key."""
    found = await call.send("GET", "/orders", query={"key": call.idempotency_key})
    return Counted.model_validate(found) if found else None


@tool(
    effect="queryable",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("counter:count",),
    target="case",
    look_up=find_order,
    settles_in_s=0.2,
    timeout_s=2,
    undo="Not possible: it has been counted.",
)
async def order(request: Count, call: Call) -> Counted:
    """Count once for each request that arrives; the counter can be asked what it did under a key."""
    return Counted.model_validate(await call.send("POST", "/orders", body=request.model_dump(mode="json")))


@tool(
    effect="outbox",
    reversibility="irreversible",
    blast_radius="customer",
    scopes=("counter:count",),
    target="case",
    idempotent_by=("case", "number"),
    timeout_s=1,
    undo="Not possible: it has been counted.",
)
async def announce(request: Count, call: Call) -> Accepted:
    """Have a number counted later, once for each idempotency key."""
    await call.send("POST", "/additions", body=request.model_dump(mode="json"))
    return Accepted(idempotency_key=call.idempotency_key)


@tool(
    effect="transactional",
    reversibility="compensable",
    blast_radius="customer",
    scopes=("counter:count",),
    target="case",
    timeout_s=2,
    undo="Count down in our own tally of the case.",
)
async def tally(request: Count, call: Call) -> Counted:
    """Count in a tally of our own, once for each call."""
    kept = await call.records.find("tally", request.case)
    counted = [*_numbers(kept.value if kept else {}), request.number]
    if kept is None:
        await call.records.add("tally", request.case, {"numbers": [*counted]})
    else:
        await call.records.change(kept, {"numbers": [*counted]})
    return Counted(case=request.case, number=request.number, times=counted.count(request.number))


def _numbers(value: dict[str, JsonValue]) -> list[int]:
    numbers = value.get("numbers", [])
    return [int(str(number)) for number in numbers] if isinstance(numbers, list) else []
