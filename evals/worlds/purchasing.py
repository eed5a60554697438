"""The world's purchasing system: offers, and orders that are placed and cancelled once per key."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette

from evals.worlds.serving import Answer, Desk, Incoming, answered_before, receipt_id, record_effect, refusal
from evals.worlds.store import JsonObject, Rows, from_text, to_text


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reference: str
    requester: str
    cost_centre: str
    supplier_id: str
    supplier_version: int
    offer_id: str
    offer_version: int
    quantity: Annotated[int, Field(gt=0, strict=True)]
    amount_cents: Annotated[int, Field(gt=0, strict=True)]
    currency: str
    bank_account: str


class Cancellation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    order_id: str
    reference: str


class Price(BaseModel):
    """What a buyer enters when a supplier has changed a price."""

    model_config = ConfigDict(extra="forbid")

    supplier_id: str
    offer_id: str
    unit_price_cents: Annotated[int, Field(gt=0)]


def purchasing_world(desk: Desk, today: str) -> Starlette:
    buyer = _Buyer(today)
    return Starlette(
        routes=[
            desk.route("purchasing.list_offers", "GET", "/offers", _list_offers),
            desk.route("purchasing.read_terms", "GET", "/terms", _read_terms),
            desk.route("purchasing.change_price", "POST", "/prices", _change_price),
            desk.route("purchasing.list_orders", "GET", "/orders", _list_orders),
            desk.route("purchasing.place_order", "POST", "/orders", buyer.place),
            desk.route("purchasing.cancel_order", "POST", "/cancellations", buyer.cancel),
        ]
    )


def _list_offers(rows: Rows, incoming: Incoming) -> Answer:
    found = rows.all("offers", supplier_id=incoming.query.get("supplier_id", ""))
    return Answer(200, {"offers": [from_text(row["record"]) | {"version": row["version"]} for row in found]})


def _read_terms(rows: Rows, incoming: Incoming) -> Answer:
    of = {name: incoming.query.get(name, "") for name in ("supplier_id", "offer_id")}
    supplier, offer = rows.one("supplier", supplier_id=of["supplier_id"]), rows.one("offer", **of)
    if supplier is None or offer is None:
        return refusal(404, f"supplier {of['supplier_id']!r} has no offer {of['offer_id']!r}")
    return Answer(200, {"supplier_version": supplier["version"], "offer_version": offer["version"]})


def _change_price(rows: Rows, incoming: Incoming) -> Answer:
    price = Price.model_validate(incoming.body)
    row = rows.one("offer", offer_id=price.offer_id, supplier_id=price.supplier_id)
    if row is None:
        return refusal(404, f"no offer {price.offer_id!r}")
    record = from_text(row["record"]) | {"unit_price_cents": price.unit_price_cents}
    rows.all("change_offer", offer_id=price.offer_id, record=to_text(record))
    return Answer(200, record | {"version": row["version"] + 1})


def _list_orders(rows: Rows, incoming: Incoming) -> Answer:
    of = {"cost_centre": incoming.query.get("cost_centre", ""), "since": incoming.query.get("since", "")}
    found = rows.all("purchases", **of)
    return Answer(200, {"orders": [from_text(row["record"]) | {"status": row["status"]} for row in found]})


@dataclass(frozen=True)
class _Buyer:
    """Places and cancels: the first request with a key acts, its repeats are answered with the first receipt."""

    today: str

    def place(self, rows: Rows, incoming: Incoming) -> Answer:
        order = Order.model_validate(incoming.body)
        if answered := answered_before(rows, incoming, "order"):
            return answered
        if refused := next(_objections(rows, order), None):
            return refused
        receipt = self._placed(order, incoming.idempotency_key)
        _enter(rows, order, receipt)
        return record_effect(rows, "order", incoming, receipt)

    def cancel(self, rows: Rows, incoming: Incoming) -> Answer:
        wish = Cancellation.model_validate(incoming.body)
        if answered := answered_before(rows, incoming, "cancellation"):
            return answered
        row = rows.one("purchase", order_id=wish.order_id)
        if row is None or from_text(row["record"])["reference"] != wish.reference:
            return refusal(404, f"no order {wish.order_id!r} for {wish.reference!r}")
        if row["status"] != "open":
            return refusal(409, f"the order is {row['status']}")
        rows.all("cancel_purchase", order_id=wish.order_id)
        receipt: JsonObject = wish.model_dump() | {"cancelled_on": self.today}
        return record_effect(rows, "cancellation", incoming, receipt)

    def _placed(self, order: Order, key: str) -> JsonObject:
        common = order.model_dump(include={"reference", "supplier_id", "amount_cents", "currency"})
        return common | {"order_id": receipt_id("PO", key), "placed_on": self.today}


def _enter(rows: Rows, order: Order, receipt: JsonObject) -> None:
    listed = {name: str(receipt[name]) for name in ("order_id", "placed_on")}
    kept = order.model_dump(exclude={"supplier_version", "offer_version", "bank_account"})
    where = {"reference": order.reference, "cost_centre": order.cost_centre}
    rows.all("enter_purchase", **where, **listed, record=to_text(kept | listed), status="open")


def _objections(rows: Rows, order: Order) -> Iterator[Answer]:
    """Why the order cannot be placed now."""
    supplier = rows.one("supplier", supplier_id=order.supplier_id)
    offer = rows.one("offer", offer_id=order.offer_id, supplier_id=order.supplier_id)
    if supplier is None or offer is None:
        yield refusal(404, f"supplier {order.supplier_id!r} has no offer {order.offer_id!r}")
        return
    known, agreed = from_text(supplier["record"]), from_text(offer["record"])
    if known["standing"] in ("sanctioned", "blocked"):
        yield refusal(409, f"the supplier is {known['standing']}")
    if supplier["version"] != order.supplier_version:
        yield refusal(409, f"the supplier has version {supplier['version']} by now")
    if offer["version"] != order.offer_version:
        yield refusal(409, f"the offer has version {offer['version']} by now")
    if order.amount_cents != order.quantity * int(str(agreed["unit_price_cents"])):
        yield refusal(422, f"the price is {agreed['unit_price_cents']} each")
    if order.currency != agreed["currency"]:
        yield refusal(422, f"the offer is in {agreed['currency']}")
    if order.bank_account != known["bank_account"]:
        yield refusal(422, "the register has another account")
    if rows.one("open_purchase", reference=order.reference):
        yield refusal(409, f"there is an open order for {order.reference!r}")
