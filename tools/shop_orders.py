"""The shop's orders: what was bought, where it goes, and what may still be changed about it."""

from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from contracts.sink import Sink
from contracts.tool import Call, ToolModel, tool
from tools.fields import ItemId, Money, PaymentMethodId, ProductId, ShopCustomerId, ShopOrderId, SignedMoney
from tools.shop_catalogue import Option
from tools.shop_customers import Address

OrderVersion = Annotated[int, Field(ge=1)]
Status = Literal[
    "pending",
    "pending, items changed",
    "processed",
    "delivered",
    "cancelled",
    "return requested",
    "exchange requested",
]
CancelReason = Literal["no longer needed", "ordered by mistake"]
_Items = Annotated[tuple[ItemId, ...], Field(min_length=1, max_length=50)]


_ORDER = {"order_id": Sink("identifier", nouns=("order",))}
_METHOD = {"payment_method_id": Sink("identifier")}
_SWAPS = {"swaps.item_id": Sink("identifier"), "swaps.new_item_id": Sink("identifier")}
_TRUSTED = (
    "order_id",
    "customer_id",
    "status",
    "address",
    "items.item_id",
    "items.product_id",
    "items.price",
    "shipments",
    "payments",
    "to_return",
    "to_exchange",
    "version",
)
"""Not the names and options of items: suppliers and customers write these."""


class OrderRequest(ToolModel):
    order_id: ShopOrderId


class OrderItem(ToolModel):
    item_id: ItemId
    product_id: ProductId
    name: str
    price: Money
    options: tuple[Option, ...]


class Shipment(ToolModel):
    tracking_ids: tuple[str, ...]
    item_ids: tuple[ItemId, ...]


class Payment(ToolModel):
    kind: Literal["payment", "refund"]
    amount: Money
    payment_method_id: PaymentMethodId


class Return(ToolModel):
    item_ids: _Items
    payment_method_id: PaymentMethodId


class Exchange(ToolModel):
    item_ids: _Items
    new_item_ids: _Items
    payment_method_id: PaymentMethodId
    price_difference: SignedMoney


class Order(ToolModel):
    order_id: ShopOrderId
    customer_id: ShopCustomerId
    status: Status
    address: Address
    items: tuple[OrderItem, ...]
    shipments: tuple[Shipment, ...]
    payments: tuple[Payment, ...]
    """Oldest first: the first one paid for the order."""
    cancelled_because: str | None
    to_return: Return | None
    to_exchange: Exchange | None
    version: OrderVersion


class _Change(ToolModel):
    order_id: ShopOrderId
    order_version: OrderVersion
    """Version of the order that the change was shown with."""


class CancelRequest(_Change):
    reason: CancelReason
    refund: Money
    """Everything that was paid for it: goes back the way it came."""


class AddressRequest(_Change):
    address: Address


class PaymentRequest(_Change):
    payment_method_id: PaymentMethodId
    amount: Money
    """What the order costs: charged to the new method and given back to the one before."""


class Swap(ToolModel):
    item_id: ItemId
    new_item_id: ItemId


class ItemsRequest(_Change):
    swaps: Annotated[tuple[Swap, ...], Field(min_length=1, max_length=50)]
    payment_method_id: PaymentMethodId
    """Pays the difference, or receives it."""
    price_difference: SignedMoney


class ReturnRequest(_Change):
    item_ids: _Items
    payment_method_id: PaymentMethodId
    refund: Money
    """The price of these items, paid once they are back."""


@tool(effect="read", scopes=("shop_orders:read",), trusted=_TRUSTED)
async def read_order(request: OrderRequest, call: Call) -> Order:
    """Read an order: status, address, items, shipments, payments, and what was asked to be done about it.

    Raises `ToolRefused` for an order that the shop does not have.
    """
    return await _read(request.order_id, call)


async def _read(order_id: str, call: Call) -> Order:
    return Order.model_validate(await call.send("GET", "/orders", query={"order_id": order_id}))


async def _read_version(request: _Change, call: Call) -> dict[str, int]:
    return {"order_version": (await _read(request.order_id, call)).version}


async def _change(path: str, request: _Change, call: Call) -> Order:
    return Order.model_validate(await call.send("POST", path, body=request.model_dump(mode="json")))


_changes_an_order = partial(
    tool,
    effect="idempotent",
    blast_radius="customer",
    target="order_id",
    idempotent_by=("order_id",),
    preconditions=("order_version",),
    reread=_read_version,
    trusted=_TRUSTED,
    reaches="customer",
)
"""What all changes of an order have in common: each kind is made once, upon the order as it was read."""


@_changes_an_order(
    reversibility="irreversible",
    scopes=("shop_orders:cancel",),
    sinks=_ORDER,
    undo="Not possible: the money goes back. The customer orders again, at today's price.",
    gate_class="refunds_and_cancellations",
)
async def cancel_order(request: CancelRequest, call: Call) -> Order:
    """Cancel a pending order and give back what was paid: to a gift card at once, otherwise in 5 to 7 working days.

    Repeats of the key are answered with the first reply. Raises `ToolRefused` for an order that is not pending, has
    changed since, or was paid otherwise than `refund` says.
    """
    return await _change("/cancellations", request, call)


@_changes_an_order(
    reversibility="compensable",
    scopes=("shop_orders:address",),
    sinks=_ORDER | {"address": Sink("recipient")},
    undo="Change it back to the address before, while the order is pending.",
)
async def change_address(request: AddressRequest, call: Call) -> Order:
    """Send a pending order to another address. Repeats and refusals are as for a cancellation."""
    return await _change("/addresses", request, call)


@_changes_an_order(
    reversibility="compensable",
    scopes=("shop_orders:payment",),
    sinks=_ORDER | _METHOD,
    undo="Change it back to the method before, while the order is pending.",
)
async def change_payment(request: PaymentRequest, call: Call) -> Order:
    """Have a pending order paid with another method of the same customer; the one before gets its money back.

    Repeats are answered with the first reply. Raises `ToolRefused` for a method that is not the customer's or paid for
    the order already, and for a gift card without enough on it.
    """
    return await _change("/payments", request, call)


@_changes_an_order(
    reversibility="irreversible",
    scopes=("shop_orders:items",),
    sinks=_ORDER | _METHOD | _SWAPS,
    undo="Not possible: items of an order are changed once. The customer returns what comes.",
)
async def change_items(request: ItemsRequest, call: Call) -> Order:
    """Change items of a pending order for others of the same products, once; afterwards nothing of it can be changed.

    Repeats are answered with the first reply. Raises `ToolRefused` for an item that is not in the order, of another
    product or not to be had, and for a gift card without enough on it.
    """
    return await _change("/items", request, call)


@_changes_an_order(
    reversibility="irreversible",
    scopes=("shop_orders:return",),
    sinks=_ORDER | _METHOD | {"item_ids": Sink("identifier")},
    undo="Not by us: the customer keeps the things and does not send them, then nothing is paid.",
    gate_class="refunds_and_cancellations",
)
async def return_items(request: ReturnRequest, call: Call) -> Order:
    """Ask the customer of a delivered order to send items back, and pay for them then.

    Repeats are answered with the first reply. Raises `ToolRefused` for an order that is not delivered, for items that
    are not in it, and for a method that is neither a gift card nor what paid for the order.
    """
    return await _change("/returns", request, call)


@_changes_an_order(
    reversibility="irreversible",
    scopes=("shop_orders:exchange",),
    sinks=_ORDER | _METHOD | _SWAPS,
    undo="Not by us: the customer keeps the things and does not send them, then nothing is exchanged.",
    gate_class="refunds_and_cancellations",
)
async def exchange_items(request: ItemsRequest, call: Call) -> Order:
    """Exchange items of a delivered order for others of the same products, once an order.

    Repeats and refusals are as for a change of items, but that the order must be delivered.
    """
    return await _change("/exchanges", request, call)
