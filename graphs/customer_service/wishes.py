"""What the assistant may say of a change: which and to what. Versions and sums are read and worked out by code."""

from typing import Annotated

from pydantic import Field

from contracts.tool import ToolModel
from nodes.agent import Offer
from tools import shop_catalogue, shop_customers, shop_orders, workpad
from tools.fields import ItemId, PaymentMethodId, ShopCustomerId, ShopOrderId
from tools.shop_customers import Address
from tools.shop_orders import CancelReason, Swap


class Cancellation(ToolModel):
    order_id: ShopOrderId
    reason: CancelReason


class NewAddress(ToolModel):
    order_id: ShopOrderId
    address: Address


class NewDefaultAddress(ToolModel):
    customer_id: ShopCustomerId
    address: Address


class NewPayment(ToolModel):
    order_id: ShopOrderId
    payment_method_id: PaymentMethodId


class Swaps(ToolModel):
    order_id: ShopOrderId
    swaps: Annotated[tuple[Swap, ...], Field(min_length=1, max_length=50)]
    payment_method_id: PaymentMethodId


class ToReturn(ToolModel):
    order_id: ShopOrderId
    item_ids: Annotated[tuple[ItemId, ...], Field(min_length=1, max_length=50)]
    payment_method_id: PaymentMethodId


_EVERYWHERE = (
    Offer(shop_customers.read_profile),
    Offer(shop_orders.read_order),
    Offer(shop_catalogue.read_product),
    Offer(workpad.pass_to_person),
)
_PAPER = (Offer(workpad.calculate), Offer(workpad.note_thought))

TO_IDENTIFY = (Offer(shop_customers.find_by_email), Offer(shop_customers.find_by_name), Offer(workpad.pass_to_person))
IN_GENERAL = (
    *_EVERYWHERE,
    *_PAPER,
    Offer(shop_catalogue.list_products),
    Offer(shop_customers.change_default_address, NewDefaultAddress),
)
WHILE_PENDING = (
    *_EVERYWHERE,
    Offer(shop_orders.cancel_order, Cancellation),
    Offer(shop_orders.change_address, NewAddress),
    Offer(shop_orders.change_payment, NewPayment),
    Offer(shop_orders.change_items, Swaps),
)
ONCE_DELIVERED = (
    *_EVERYWHERE,
    *_PAPER,
    Offer(shop_orders.return_items, ToReturn),
    Offer(shop_orders.exchange_items, Swaps),
)
EVERY = tuple({offer.tool: offer for offer in (*TO_IDENTIFY, *IN_GENERAL, *WHILE_PENDING, *ONCE_DELIVERED)})
READS = tuple(tool for tool in EVERY if not tool.writes)
WRITES = tuple(tool for tool in EVERY if tool.writes)
