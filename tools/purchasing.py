"""The purchasing system: what suppliers offer, what was ordered, and how an order is placed and cancelled."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from contracts.sink import Sink
from contracts.tool import Call, Compensation, ToolModel, tool
from tools.fields import (
    BankAccount,
    CostCentreId,
    Currency,
    IsoDate,
    OfferId,
    OrderId,
    Person,
    PositiveCents,
    Quantity,
    Reference,
    SupplierId,
    Version,
)


class OffersRequest(ToolModel):
    supplier_id: SupplierId


class Offer(ToolModel):
    """One thing that a supplier sells us at an agreed price."""

    offer_id: OfferId
    supplier_id: SupplierId
    item: str
    category: str
    unit_price_cents: PositiveCents
    currency: Currency
    most: Quantity
    """Largest quantity that the price holds for."""
    valid_until: IsoDate | None
    pay_to: BankAccount | None
    """Account that the offer itself asks to be paid to; None: it names none."""
    note: Annotated[str, Field(max_length=2000)]
    """The supplier's own words."""
    version: Version


class OffersReply(ToolModel):
    offers: tuple[Offer, ...]


class OrdersRequest(ToolModel):
    cost_centre: CostCentreId
    since: IsoDate


class Order(ToolModel):
    """A purchase order as the purchasing system has it."""

    order_id: OrderId
    reference: Reference
    cost_centre: CostCentreId
    requester: Person
    supplier_id: SupplierId
    offer_id: OfferId
    quantity: Quantity
    amount_cents: PositiveCents
    currency: Currency
    placed_on: IsoDate
    status: Literal["open", "cancelled"]


class OrdersReply(ToolModel):
    orders: tuple[Order, ...]
    """Oldest first, whoever placed them and by whatever way."""


class PlaceRequest(ToolModel):
    reference: Reference
    """The case behind the order; it has one open order at most."""
    requester: Person
    cost_centre: CostCentreId
    supplier_id: SupplierId
    supplier_version: Version
    offer_id: OfferId
    offer_version: Version
    quantity: Quantity
    amount_cents: PositiveCents
    """Quantity times the offer's price."""
    currency: Currency
    bank_account: BankAccount
    """Where the supplier will be paid: the account in the register."""


class PlacedOrder(ToolModel):
    order_id: OrderId
    reference: Reference
    supplier_id: SupplierId
    amount_cents: PositiveCents
    currency: Currency
    placed_on: IsoDate


class Terms(ToolModel):
    """On what the purchasing system would place an order now."""

    supplier_version: Version
    offer_version: Version


class CancelRequest(ToolModel):
    order_id: OrderId
    reference: Reference


class CancelledOrder(ToolModel):
    order_id: OrderId
    reference: Reference
    cancelled_on: IsoDate


@tool(
    effect="read",
    scopes=("purchasing:read",),
    trusted=("offers.offer_id", "offers.supplier_id", "offers.unit_price_cents", "offers.currency"),
)
async def list_offers(request: OffersRequest, call: Call) -> OffersReply:
    """List what a supplier offers, expired offers included."""
    return OffersReply.model_validate(await call.send("GET", "/offers", query={"supplier_id": request.supplier_id}))


@tool(effect="read", scopes=("purchasing:read",), trusted=("orders.order_id", "orders.supplier_id"))
async def list_orders(request: OrdersRequest, call: Call) -> OrdersReply:
    """List the orders of a cost centre from a day on, cancelled ones included."""
    query = {"cost_centre": request.cost_centre, "since": request.since}
    return OrdersReply.model_validate(await call.send("GET", "/orders", query=query))


@tool(
    effect="idempotent",
    reversibility="compensable",
    blast_radius="company",
    scopes=("purchasing:cancel",),
    target="order_id",
    idempotent_by=("order_id",),
    undo="Place the order again, as a new request.",
    gate_class="refunds_and_cancellations",
)
async def cancel_order(request: CancelRequest, call: Call) -> CancelledOrder:
    """Cancel an open order; the supplier is told by the purchasing system.

    Repeats are as for `purchasing.place_order`. Refuses an order that is not there or belongs to another reference.
    """
    return CancelledOrder.model_validate(
        await call.send("POST", "/cancellations", body=request.model_dump(mode="json"))
    )


async def read_terms(request: PlaceRequest, call: Call) -> dict[str, JsonValue]:
    """The versions of supplier and offer by now; `ToolRefused` when one of them is gone."""
    query = {"supplier_id": request.supplier_id, "offer_id": request.offer_id}
    return Terms.model_validate(await call.send("GET", "/terms", query=query)).model_dump(mode="json")


def _cancellation(request: PlaceRequest, placed: PlacedOrder) -> CancelRequest:
    return CancelRequest(order_id=placed.order_id, reference=request.reference)


@tool(
    effect="idempotent",
    reversibility="compensable",
    blast_radius="company",
    scopes=("purchasing:order",),
    target="supplier_id",
    idempotent_by=("reference",),
    preconditions=("supplier_version", "offer_version"),
    reread=read_terms,
    undo="Cancel the order (purchasing.cancel_order) before the supplier delivers.",
    amount="amount_cents",
    currency="currency",
    compensation=Compensation(cancel_order, _cancellation),
    sinks={
        "cost_centre": Sink("identifier"),
        "supplier_id": Sink("payee"),
        "offer_id": Sink("identifier"),
        "amount_cents": Sink("amount", paired_with="offer_id"),
        "bank_account": Sink("payee"),
    },
)
async def place_order(request: PlaceRequest, call: Call) -> PlacedOrder:
    """Order `quantity` of one offer from its supplier.

    The purchasing system drops repeats of the idempotency key and answers them with the first receipt. It refuses
    (`ToolRefused`) a supplier or an offer that has changed since the versions given, a supplier that we may not buy
    from, another price, currency or account than it knows, and a second open order for one reference.
    """
    return PlacedOrder.model_validate(await call.send("POST", "/orders", body=request.model_dump(mode="json")))
