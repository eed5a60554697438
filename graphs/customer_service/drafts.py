"""The changes this workflow proposes, as drafts, and how they are shown to the customer before anything is done."""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

from contracts.approval import Change, Draft, JsonObject
from contracts.tool import AnyTool
from graphs.customer_service.evidence import pair_up
from graphs.customer_service.state import Proposed, Records, Weighed
from tools import shop_customers, shop_orders
from tools.shop_catalogue import Product
from tools.shop_customers import Address, Profile
from tools.shop_orders import Order, Swap

_SHORT = 40


def _drafts(tool: AnyTool, complete: Callable[[JsonObject, Records], JsonObject]) -> Callable[[Weighed], Draft]:
    """A draft of what the assistant named, with the versions and sums that were read or follow from what was."""

    def draft(state: Weighed) -> Draft:
        records = _records(state)
        args = state["move"]["args"] | complete(state["move"]["args"], records)
        return {
            "args": args,
            "facts": {},
            "summary": summary_of(tool.name, args)[:200],
            "reason": "The customer asks for it.",
            "evidence": [{"source": tool.name.partition(".")[0] + ".read_order", "says": _says(records)}],
            "diff": _diff(tool.name, args, records),
            "opinion": f"Proposed by {state['answered_by']}.",
        }

    return draft


def summary_of(  # noqa: PLR0911  # one line a tool
    tool: str, args: JsonObject
) -> str:
    """One sentence: what will be done. Made of arguments alone, which are what an approval covers."""
    order, method = args.get("order_id"), args.get("payment_method_id")
    match tool.partition(".")[2]:
        case "cancel_order":
            return f"Cancel order {order} ({args['reason']}) and give back USD {args['refund']} the way it was paid"
        case "change_address":
            return f"Send order {order} to {_line(args)}"
        case "change_payment":
            return f"Have order {order} (USD {args['amount']}) paid with {method}"
        case "change_items":
            return f"Change in order {order} {_listed(args)}; {_difference(args)}. It can be changed no more then"
        case "exchange_items":
            return f"Exchange from order {order} {_listed(args)}; {_difference(args)}"
        case "return_items":
            items = ", ".join(cast(list[str], args["item_ids"]))
            return f"Take {items} of order {order} back and pay USD {args['refund']} to {method}"
        case _:
            return f"Send future orders to {_line(args)}"


def what_to_confirm(state: Proposed) -> str:
    """The question to the customer about a frozen change."""
    frozen = state["proposal"]
    named = _names(state["records"])
    things = "".join(f"\n- {item_id} is {name}" for item_id, name in named.items() if item_id in str(frozen["args"]))
    what = summary_of(frozen["tool"], frozen["args"])
    return f"{what}.{things}\nShall this be done? Answer yes, or say what you want instead."


def _line(args: JsonObject) -> str:
    address = Address.model_validate(args["address"])
    parts = (address.line_1, address.line_2, address.city, address.state, address.zip, address.country)
    return ", ".join(part for part in parts if part)


def _listed(args: JsonObject) -> str:
    swaps = [Swap.model_validate(swap) for swap in cast(list[object], args["swaps"])]
    return ", ".join(f"{swap.item_id} for {swap.new_item_id}" for swap in swaps)


def _difference(args: JsonObject) -> str:
    difference, method = Decimal(str(args["price_difference"])), args["payment_method_id"]
    return f"{method} {'pays' if difference > 0 else 'gets back'} USD {abs(difference):.2f}"


def _records(state: Weighed) -> Records:
    return state["records"] or {"order": None, "profile": None, "products": []}


def _order(records: Records) -> Order | None:
    return Order.model_validate(records["order"]) if records["order"] else None


def _cancelled(args: JsonObject, records: Records) -> JsonObject:
    order = _order(records)
    payments = [Decimal(p.amount) for p in order.payments if p.kind == "payment"] if order else []
    return _version(order) | {"refund": f"{sum(payments, Decimal(0)):.2f}"}


def _version(order: Order | None) -> JsonObject:
    return {"order_version": order.version if order else 1}


def _addressed(args: JsonObject, records: Records) -> JsonObject:
    return _version(_order(records))


def _paid(args: JsonObject, records: Records) -> JsonObject:
    order = _order(records)
    return _version(order) | {"amount": order.payments[0].amount if order else "0.00"}


def _swapped(args: JsonObject, records: Records) -> JsonObject:
    order, prices = _order(records), _prices(records)
    swaps = [Swap.model_validate(swap) for swap in cast(list[object], args["swaps"])]
    pairs = pair_up(order, swaps) if order else iter(())
    known = [(item, prices[swap.new_item_id]) for item, swap in pairs if item and swap.new_item_id in prices]
    difference = sum((price - Decimal(item.price) for item, price in known), Decimal(0))
    return _version(order) | {"price_difference": f"{difference:.2f}"}


def _returned(args: JsonObject, records: Records) -> JsonObject:
    order = _order(records)
    prices = {item.item_id: Decimal(item.price) for item in order.items} if order else {}
    refund = sum((prices.get(str(one), Decimal(0)) for one in cast(list[str], args["item_ids"])), Decimal(0))
    return _version(order) | {"refund": f"{refund:.2f}"}


def _lives(args: JsonObject, records: Records) -> JsonObject:
    return {"profile_version": Profile.model_validate(records["profile"]).version if records["profile"] else 1}


def _prices(records: Records) -> dict[str, Decimal]:
    products = [Product.model_validate(product) for product in records["products"]]
    return {variant.item_id: Decimal(variant.price) for product in products for variant in product.variants}


def _names(records: Records | None) -> dict[str, str]:
    """What items are called, shortened and on one line: suppliers write these names."""
    products = [Product.model_validate(product) for product in records["products"]] if records else []
    named = {variant.item_id: (product.name, variant.options) for product in products for variant in product.variants}
    order = _order(records) if records else None
    named |= {item.item_id: (item.name, item.options) for item in order.items} if order else {}
    return {
        item_id: _on_one_line(name, *(option.value for option in options)) for item_id, (name, options) in named.items()
    }


def _on_one_line(*parts: str) -> str:
    return ", ".join(" ".join(part.split())[:_SHORT] for part in parts)


def _says(records: Records) -> str:
    order = _order(records)
    if order is None:
        return "A customer's account."
    return f"Order {order.order_id} of {order.customer_id} is {order.status}; it has {len(order.items)} items."


def _diff(tool: str, args: JsonObject, records: Records) -> list[Change]:
    order = _order(records)
    if order and "address" in args:
        return [{"field": "address", "before": order.address.model_dump(mode="json"), "after": args["address"]}]
    if order and tool == shop_orders.change_payment.name:
        before = order.payments[0].payment_method_id
        return [{"field": "payment method", "before": before, "after": args["payment_method_id"]}]
    if records["profile"] and "profile_version" in args:
        address = Profile.model_validate(records["profile"]).address.model_dump(mode="json")
        return [{"field": "default address", "before": address, "after": args["address"]}]
    return []


_COMPLETED: tuple[tuple[AnyTool, Callable[[JsonObject, Records], JsonObject]], ...] = (
    (shop_orders.cancel_order, _cancelled),
    (shop_orders.change_address, _addressed),
    (shop_orders.change_payment, _paid),
    (shop_orders.change_items, _swapped),
    (shop_orders.exchange_items, _swapped),
    (shop_orders.return_items, _returned),
    (shop_customers.change_default_address, _lives),
)

DRAFTS: dict[AnyTool, Callable[[Weighed], Draft]] = {tool: _drafts(tool, complete) for tool, complete in _COMPLETED}
"""How each change is drafted."""
