"""Our own book of what cost centres have reserved for orders under way: one record for each cost centre.

Reserving, and reading what others have reserved, is one transaction: two orders at the same moment see each other.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from pydantic import TypeAdapter

from contracts.records import Record
from contracts.tool import Call, ToolModel, tool
from tools.fields import (
    CostCentreId,
    Currency,
    IsoDate,
    OfferId,
    Person,
    PositiveCents,
    Quantity,
    Reference,
    SupplierId,
)

RESERVED_DAYS = 7
"""A reservation that nobody settled, because its case was cancelled or broke, counts no longer than this."""
SPENT_DAYS = 30
"""An order is kept here until the purchasing system surely lists it, and as long as orders are added up."""

_KIND = "book"


class Entry(ToolModel):
    """What one case has reserved, or has ordered lately."""

    reference: Reference
    requester: Person
    supplier_id: SupplierId
    offer_id: OfferId
    quantity: Quantity
    amount_cents: PositiveCents
    currency: Currency
    on: IsoDate
    status: Literal["reserved", "spent"]


class ReserveRequest(ToolModel):
    reference: Reference
    """The case that reserves. A second reservation of a case replaces its first."""
    cost_centre: CostCentreId
    requester: Person
    supplier_id: SupplierId
    offer_id: OfferId
    quantity: Quantity
    amount_cents: PositiveCents
    currency: Currency
    on: IsoDate
    """The day by which older entries are dropped."""


class Reserved(ToolModel):
    reference: Reference
    cost_centre: CostCentreId
    amount_cents: PositiveCents
    currency: Currency
    others: tuple[Entry, ...]
    """What other cases have reserved or ordered by the moment of this reservation."""


class SettleRequest(ToolModel):
    reference: Reference
    cost_centre: CostCentreId
    outcome: Literal["spent", "released"]
    amount_cents: PositiveCents
    """What was ordered in the end; a release gives everything back."""
    currency: Currency


class Settled(ToolModel):
    reference: Reference
    outcome: Literal["spent", "released"]
    found: bool
    """Whether the book still had the reservation."""


@tool(
    effect="transactional",
    reversibility="compensable",
    blast_radius="team",
    scopes=("budgets:reserve",),
    timeout_s=2,
    target="cost_centre",
    undo="Release it (budgets.book_outcome); one that nobody settles lapses after a week.",
)
async def set_aside(request: ReserveRequest, call: Call) -> Reserved:
    """Set money of a cost centre aside for one order, and say what others have set aside by then.

    It reserves whatever is asked for: whether that is too much is policy's to judge, over the reply.
    """
    book = await call.records.find(_KIND, request.cost_centre)
    others = [entry for entry in _live(_entries(book), request.on) if entry.reference != request.reference]
    own = Entry(**request.model_dump(exclude={"cost_centre"}), status="reserved")
    await _keep(call, request.cost_centre, book, [*others, own])
    return Reserved(
        reference=request.reference,
        cost_centre=request.cost_centre,
        amount_cents=request.amount_cents,
        currency=request.currency,
        others=tuple(others),
    )


@tool(
    effect="transactional",
    reversibility="compensable",
    blast_radius="team",
    scopes=("budgets:settle",),
    timeout_s=2,
    target="cost_centre",
    undo="Reserve again with a new request; a cancelled order frees its money by itself.",
)
async def book_outcome(request: SettleRequest, call: Call) -> Settled:
    """Turn a case's reservation into what it has spent, or give it back."""
    book = await call.records.find(_KIND, request.cost_centre)
    entries = _entries(book)
    own = next((entry for entry in entries if entry.reference == request.reference), None)
    if own is not None:
        kept = [entry for entry in entries if entry is not own]
        spent = own.model_copy(update={"status": "spent", "amount_cents": request.amount_cents})
        await _keep(call, request.cost_centre, book, [*kept, spent] if request.outcome == "spent" else kept)
    return Settled(reference=request.reference, outcome=request.outcome, found=own is not None)


_ENTRIES: TypeAdapter[list[Entry]] = TypeAdapter(list[Entry])


def _entries(book: Record | None) -> list[Entry]:
    return _ENTRIES.validate_python(book.value["entries"]) if book else []


def _live(entries: Iterable[Entry], on: str) -> list[Entry]:
    today = date.fromisoformat(on)
    days = {"reserved": RESERVED_DAYS, "spent": SPENT_DAYS}
    return [e for e in entries if today - date.fromisoformat(e.on) <= timedelta(days=days[e.status])]


async def _keep(call: Call, cost_centre: str, book: Record | None, entries: Iterable[Entry]) -> None:
    value = {"entries": _ENTRIES.dump_python(list(entries), mode="json")}
    if book is None:
        await call.records.add(_KIND, cost_centre, value)
    else:
        await call.records.change(book, value)
