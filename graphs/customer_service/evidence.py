"""What the case's own calls show of an action: who was identified, whose it is, what it may come to.

Each function is `(arguments, finished calls) -> facts`, pure. Rules read them under names that begin with `seen_`; a
model cannot say them and an edited state cannot hold them. What was not read is not known, and no rule allows that.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, cast

from contracts.approval import JsonObject
from contracts.guard import Finished
from contracts.policy import Evidence
from tools import shop_catalogue, shop_customers, shop_orders
from tools.shop_catalogue import Product
from tools.shop_customers import Profile
from tools.shop_orders import Order, OrderItem, Swap

_FINDS = (shop_customers.find_by_email.name, shop_customers.find_by_name.name)
_PROFILES = (shop_customers.read_profile.name, shop_customers.change_default_address.name)
_ORDERS = tuple(tool.name for tool in vars(shop_orders).values() if getattr(tool, "reply", None) is Order)


def identified(past: Sequence[Finished]) -> str:
    """The customer whom the case has found first; empty while there is none. Nobody takes their place."""
    found = (cast(JsonObject, call.result)["customer_id"] for call in past if call.tool in _FINDS)
    return next((str(customer) for customer in found if customer), "")


def whether_identified(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    return {"identified": bool(identified(past))}


def of_a_profile(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    return {"own": args["customer_id"] == identified(past) != ""}


def of_an_order(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    """An order is the customer's own when their profile lists it: so much is known before it is read."""
    profile = _profile(past)
    return {"own": profile is not None and args["order_id"] in profile.orders}


def of_a_cancellation(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    order = _order(args, past)
    paid = sum((Decimal(payment.amount) for payment in order.payments if payment.kind == "payment"), Decimal(0))
    return _of_order(args, order, past) | {"right_sum": args["refund"] == f"{paid:.2f}"}


def of_an_address(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    return _of_order(args, _order(args, past), past) | {"known_address": _is_known(args, past)}


def of_a_default_address(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    profile = _profile(past)
    return of_a_profile(args, past) | {
        "as_read": profile is not None and profile.version == args["profile_version"],
        "known_address": _is_known(args, past),
    }


def of_a_payment(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    order = _order(args, past)
    first = order.payments[0]
    return _of_order(args, order, past) | {
        "own_method": _owns_method(args, past),
        "other_method": len(order.payments) == 1 and args["payment_method_id"] != first.payment_method_id,
        "right_sum": args["amount"] == first.amount,
        "covered": _covers(args, past, Decimal(first.amount)),
    }


def of_swaps(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    order = _order(args, past)
    swaps = [Swap.model_validate(swap) for swap in cast(list[Any], args["swaps"])]
    pairs = list(pair_up(order, swaps))
    variants = [(item, _variant(item, swap, past)) for item, swap in pairs if item]
    same_product = len(variants) == len(swaps) and all(variant for _, variant in variants)
    difference = sum((Decimal(new.price) - Decimal(old.price) for old, new in variants if new), Decimal(0))
    return _of_order(args, order, past) | {
        "own_method": _owns_method(args, past),
        "in_order": len(variants) == len(swaps),
        "same_product": same_product,
        "available": same_product and all(variant.available for _, variant in variants if variant),
        "right_sum": Decimal(str(args["price_difference"])) == difference,
        "covered": _covers(args, past, difference),
        "changes_something": any(swap.item_id != swap.new_item_id for swap in swaps),
        "difference": f"{abs(difference):.2f}",
    }


def of_a_return(args: JsonObject, past: Sequence[Finished]) -> JsonObject:
    order, method_id = _order(args, past), str(args["payment_method_id"])
    wanted = Counter(cast(list[str], args["item_ids"]))
    there = Counter(item.item_id for item in order.items)
    prices = {item.item_id: Decimal(item.price) for item in order.items}
    refund = sum((prices.get(item_id, Decimal(0)) * times for item_id, times in wanted.items()), Decimal(0))
    paid_with = order.payments[0].payment_method_id
    return _of_order(args, order, past) | {
        "own_method": _owns_method(args, past),
        "in_order": wanted <= there,
        "right_sum": Decimal(str(args["refund"])) == refund,
        "to_gift_card_or_back": method_id == paid_with or method_id.startswith("gift_card_"),
    }


def pair_up(order: Order, swaps: Sequence[Swap]) -> Iterator[tuple[OrderItem | None, Swap]]:
    """Each swap with an item of the order, each item once; None where the order has no such item left."""
    left = list(order.items)
    for swap in swaps:
        item = next((item for item in left if item.item_id == swap.item_id), None)
        if item:
            left.remove(item)
        yield item, swap


def _of_order(args: JsonObject, order: Order, past: Sequence[Finished]) -> JsonObject:
    return {
        "own": order.customer_id == identified(past) != "",
        "status": order.status,
        "as_read": order.version == args["order_version"],
    }


def _order(args: JsonObject, past: Sequence[Finished]) -> Order:
    """As it was last read or changed in this case. Raises `ValueError` where it was not: then nothing is known."""
    for call in reversed(past):
        if call.tool in _ORDERS and call.args["order_id"] == args["order_id"]:
            return Order.model_validate(call.result)
    raise ValueError("the order was not read")


def _profile(past: Sequence[Finished]) -> Profile | None:
    """The identified customer's, as it was last read or changed."""
    customer = identified(past)
    for call in reversed(past):
        if call.tool in _PROFILES and call.args["customer_id"] == customer:
            return Profile.model_validate(call.result)
    return None


def _variant(item: OrderItem, swap: Swap, past: Sequence[Finished]) -> Any:
    for call in reversed(past):
        if call.tool == shop_catalogue.read_product.name and call.args["product_id"] == item.product_id:
            variants = Product.model_validate(call.result).variants
            return next((variant for variant in variants if variant.item_id == swap.new_item_id), None)
    return None


def _owns_method(args: JsonObject, past: Sequence[Finished]) -> bool:
    profile = _profile(past)
    methods = profile.payment_methods if profile else ()
    return args["payment_method_id"] in [method.payment_method_id for method in methods]


def _covers(args: JsonObject, past: Sequence[Finished], amount: Decimal) -> bool:
    """Whether a gift card has enough on it; the others are asked by whoever issued them."""
    profile = _profile(past)
    methods = profile.payment_methods if profile else ()
    balances = [m.balance for m in methods if m.payment_method_id == args["payment_method_id"] and m.balance]
    return all(Decimal(balance) >= amount for balance in balances)


def _is_known(args: JsonObject, past: Sequence[Finished]) -> bool:
    """Whether the customer's profile, or an order of theirs that was read, has this address already."""
    customer, profile = identified(past), _profile(past)
    orders = (Order.model_validate(call.result) for call in past if call.tool in _ORDERS)
    known = [order.address for order in orders if order.customer_id == customer]
    known += [profile.address] if profile else []
    return args["address"] in [address.model_dump(mode="json") for address in known]


EVIDENCE: dict[str, Evidence] = {
    shop_customers.find_by_email.name: whether_identified,
    shop_customers.find_by_name.name: whether_identified,
    shop_customers.read_profile.name: of_a_profile,
    shop_customers.change_default_address.name: of_a_default_address,
    shop_catalogue.list_products.name: whether_identified,
    shop_catalogue.read_product.name: whether_identified,
    shop_orders.read_order.name: of_an_order,
    shop_orders.cancel_order.name: of_a_cancellation,
    shop_orders.change_address.name: of_an_address,
    shop_orders.change_payment.name: of_a_payment,
    shop_orders.change_items.name: of_swaps,
    shop_orders.exchange_items.name: of_swaps,
    shop_orders.return_items.name: of_a_return,
}
"""By tool: what policy is told of a call of it."""
