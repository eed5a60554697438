"""The world's shop: customers, catalogue and orders, each an HTTP system of its own over one set of books."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette

from evals.worlds.retail_changes import (
    Books,
    as_kept,
    as_said,
    cancel,
    change_address,
    change_items,
    change_payment,
    exchange,
    give_back,
    money,
)
from evals.worlds.serving import Answer, Desk, Incoming, answered_before, record_effect
from evals.worlds.store import Rows, from_text, to_text
from evals.worlds.whole_records import Record, answering, keep_record, record_as_shown, record_of

Change = Callable[[Books, Record], None]

_STATUSES = {"pending (item modified)": "pending, items changed"}


def customers_world(desk: Desk) -> Starlette:
    return Starlette(
        routes=[
            desk.route("shop_customers.find_by_email", "GET", "/by-email", _by_email),
            desk.route("shop_customers.find_by_name", "GET", "/by-name", _by_name),
            desk.route("shop_customers.read_profile", "GET", "/profiles", _profile),
            desk.route("shop_customers.change_default_address", "POST", "/addresses", _default_address),
        ]
    )


def catalogue_world(desk: Desk) -> Starlette:
    return Starlette(
        routes=[
            desk.route("shop_catalogue.list_products", "GET", "/products", _products),
            desk.route("shop_catalogue.read_product", "GET", "/product", _product),
        ]
    )


def orders_world(desk: Desk) -> Starlette:
    """Its routes; `/meanwhile` is how somebody in the warehouse changes the status of an order."""
    return Starlette(
        routes=[
            desk.route("shop_orders.read_order", "GET", "/orders", _order),
            desk.route("shop_orders.cancel_order", "POST", "/cancellations", _changes("shop_cancellation", cancel)),
            desk.route("shop_orders.change_address", "POST", "/addresses", _changes("address_change", change_address)),
            desk.route("shop_orders.change_payment", "POST", "/payments", _changes("payment_change", change_payment)),
            desk.route("shop_orders.change_items", "POST", "/items", _changes("item_change", change_items)),
            desk.route("shop_orders.return_items", "POST", "/returns", _changes("item_return", give_back)),
            desk.route("shop_orders.exchange_items", "POST", "/exchanges", _changes("item_exchange", exchange)),
            desk.route("shop_orders.meanwhile", "POST", "/meanwhile", _meanwhile),
        ]
    )


def _by_email(rows: Rows, incoming: Incoming) -> Answer:
    wanted = incoming.query.get("email", "").casefold()
    return _only(rows, lambda customer: customer["email"].casefold() == wanted)


def _by_name(rows: Rows, incoming: Incoming) -> Answer:
    first, last, code = (incoming.query.get(part, "").casefold() for part in ("first_name", "last_name", "zip"))

    def fits(customer: Record) -> bool:
        name = customer["name"]
        said = (name["first_name"].casefold(), name["last_name"].casefold(), customer["address"]["zip"].casefold())
        return said == (first, last, code)

    return _only(rows, fits)


def _only(rows: Rows, fits: Callable[[Record], bool]) -> Answer:
    found = [row["key"] for row in rows.all("shop_records", kind="users") if fits(from_text(row["record"]))]
    return Answer(200, {"customer_id": found[0] if len(found) == 1 else None})


@answering
def _profile(rows: Rows, incoming: Incoming) -> Answer:
    key = incoming.query.get("customer_id", "")
    return Answer(200, _profile_said(key, *record_of(rows, "users", key)))


@answering
def _product(rows: Rows, incoming: Incoming) -> Answer:
    product, _ = record_of(rows, "products", incoming.query.get("product_id", ""))
    variants: list[Any] = [_item_said(variant) for variant in product["variants"].values()]
    return Answer(200, {"product_id": product["product_id"], "name": product["name"], "variants": variants})


def _products(rows: Rows, incoming: Incoming) -> Answer:
    found = [from_text(row["record"]) for row in rows.all("shop_records", kind="products")]
    named = sorted((str(product["name"]), str(product["product_id"])) for product in found)
    return Answer(200, {"products": [{"product_id": product_id, "name": name} for name, product_id in named]})


@answering
def _order(rows: Rows, incoming: Incoming) -> Answer:
    return Answer(200, _order_said(*record_of(rows, "orders", incoming.query.get("order_id", ""))))


def _changes(kind: str, change: Change) -> Callable[[Rows, Incoming], Answer]:
    @answering
    def act(rows: Rows, incoming: Incoming) -> Answer:
        if answered := answered_before(rows, incoming, kind):
            return answered
        wish: Record = incoming.body
        order, version = record_as_shown(rows, "orders", wish.get("order_id", ""), wish.get("order_version"), "order")
        customer, _ = record_of(rows, "users", order["user_id"])
        before = to_text(customer)
        change(Books(order, customer, lambda key: record_of(rows, "products", key)[0]), wish)
        keep_record(rows, "orders", order["order_id"], order)
        if to_text(customer) != before:
            keep_record(rows, "users", order["user_id"], customer)
        return record_effect(rows, kind, incoming, _order_said(order, version + 1))

    return act


@answering
def _default_address(rows: Rows, incoming: Incoming) -> Answer:
    if answered := answered_before(rows, incoming, "profile_change"):
        return answered
    wish: Record = incoming.body
    key = str(wish.get("customer_id", ""))
    customer, version = record_as_shown(rows, "users", key, wish.get("profile_version"), "profile")
    customer["address"] = as_kept(wish["address"])
    keep_record(rows, "users", key, customer)
    return record_effect(rows, "profile_change", incoming, _profile_said(key, customer, version + 1))


@answering
def _meanwhile(rows: Rows, incoming: Incoming) -> Answer:
    order, version = record_of(rows, "orders", str(incoming.body.get("order_id", "")))
    order["status"] = incoming.body["status"]
    keep_record(rows, "orders", order["order_id"], order)
    return Answer(200, _order_said(order, version + 1))


def _item_said(item: Record) -> Record:
    options = [{"name": name, "value": value} for name, value in sorted(item["options"].items())]
    return item | {"price": money(item["price"]), "options": options}


def _profile_said(key: str, customer: Record, version: int) -> Record:
    methods = customer["payment_methods"].values()
    return {
        "customer_id": key,
        "name": customer["name"],
        "email": customer["email"],
        "address": as_said(customer["address"]),
        "payment_methods": [
            {
                "payment_method_id": method["id"],
                "kind": method["source"],
                "balance": money(method["balance"]) if "balance" in method else None,
            }
            for method in methods
        ],
        "orders": customer["orders"],
        "version": version,
    }


def _order_said(order: Record, version: int) -> Record:
    payments = order["payment_history"]
    return {
        "order_id": order["order_id"],
        "customer_id": order["user_id"],
        "status": _STATUSES.get(order["status"], order["status"]),
        "address": as_said(order["address"]),
        "items": [_item_said(item) for item in order["items"]],
        "shipments": [{"tracking_ids": f["tracking_id"], "item_ids": f["item_ids"]} for f in order["fulfillments"]],
        "payments": [
            {"kind": p["transaction_type"], "amount": money(p["amount"]), "payment_method_id": p["payment_method_id"]}
            for p in payments
        ],
        "cancelled_because": order.get("cancel_reason"),
        "to_return": _to_return(order),
        "to_exchange": _to_exchange(order),
        "version": version,
    }


def _to_return(order: Record) -> Record | None:
    if "return_items" not in order:
        return None
    return {"item_ids": order["return_items"], "payment_method_id": order["return_payment_method_id"]}


def _to_exchange(order: Record) -> Record | None:
    if "exchange_items" not in order:
        return None
    return {
        "item_ids": order["exchange_items"],
        "new_item_ids": order["exchange_new_items"],
        "payment_method_id": order["exchange_payment_method_id"],
        "price_difference": money(order["exchange_price_difference"]),
    }
