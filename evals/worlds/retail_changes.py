"""What the shop's back office does to an order: checked against its own books first, in whole records.

Its books keep sums as binary floating point, added up in the order of the request, and round only gift cards and
exchanges to cents. That is how the shop is, not how we count.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evals.worlds.whole_records import Objection, Record, require


@dataclass(frozen=True)
class Books:
    """The records that a change of one order may touch; `product` reads one more."""

    order: Record
    customer: Record
    product: Callable[[str], Record]

    def method(self, method_id: str) -> Record:
        methods: Mapping[str, Record] = self.customer["payment_methods"]
        if method_id not in methods:
            raise Objection(404, "payment method not found")
        return methods[method_id]


def money(value: float) -> str:
    """A sum of the books as the shop says it."""
    return f"{Decimal(repr(value)):.2f}"


def _require_status(order: Record, status: str) -> None:
    require(order["status"] == status, 409, f"the order is {order['status']}, not {status}")


def _require_sum(said: str, computed: float) -> None:
    require(Decimal(said) == Decimal(money(computed)), 422, f"the sum is {money(computed)}")


def _require_covered(method: Record, amount: float, what: str) -> None:
    short = method["source"] == "gift_card" and method["balance"] < amount
    require(not short, 409, f"insufficient gift card balance to pay for the {what}")


def _put_on(method: Record, amount: float) -> None:
    """Onto a gift card at once; other methods are not kept by the shop."""
    if method["source"] == "gift_card":
        method["balance"] = round(method["balance"] + amount, 2)


def _entry(kind: str, amount: float, method_id: str) -> Record:
    return {"transaction_type": kind, "amount": amount, "payment_method_id": method_id}


def cancel(books: Books, wish: Record) -> None:
    order = books.order
    _require_status(order, "pending")
    paid = list(order["payment_history"])
    _require_sum(wish["refund"], sum(entry["amount"] for entry in paid))
    for entry in paid:
        method_id = entry["payment_method_id"]
        order["payment_history"].append(_entry("refund", entry["amount"], method_id))
        _put_on(books.method(method_id), entry["amount"])
    order["status"], order["cancel_reason"] = "cancelled", wish["reason"]


def change_address(books: Books, wish: Record) -> None:
    _require_status(books.order, "pending")
    books.order["address"] = as_kept(wish["address"])


def change_payment(books: Books, wish: Record) -> None:
    order, method_id = books.order, wish["payment_method_id"]
    _require_status(order, "pending")
    require(len(order["payment_history"]) == 1, 409, "the order was not paid at once")
    first = order["payment_history"][0]
    before, amount = first["payment_method_id"], first["amount"]
    require(method_id != before, 409, "the order is paid with this method")
    _require_sum(wish["amount"], amount)
    new = books.method(method_id)
    _require_covered(new, amount, "order")
    order["payment_history"] += [_entry("payment", amount, method_id), _entry("refund", amount, before)]
    _put_on(new, -amount)
    _put_on(books.method(before), amount)


def change_items(books: Books, wish: Record) -> None:
    order, method = books.order, books.method(wish["payment_method_id"])
    _require_status(order, "pending")
    pairs = _pairs(books, wish["swaps"])
    difference = _difference(pairs)
    _require_sum(wish["price_difference"], difference)
    _require_covered(method, difference, "new item")
    kind = "payment" if difference > 0 else "refund"
    order["payment_history"].append(_entry(kind, abs(difference), wish["payment_method_id"]))
    _put_on(method, -difference)
    for item, new in pairs:
        item.update(item_id=new["item_id"], price=new["price"], options=new["options"])
    order["status"] = "pending (item modified)"


def exchange(books: Books, wish: Record) -> None:
    order, method = books.order, books.method(wish["payment_method_id"])
    _require_status(order, "delivered")
    difference = round(_difference(_pairs(books, wish["swaps"])), 2)
    _require_sum(wish["price_difference"], difference)
    _require_covered(method, difference, "price difference")
    order["status"] = "exchange requested"
    order["exchange_items"] = sorted(swap["item_id"] for swap in wish["swaps"])
    order["exchange_new_items"] = sorted(swap["new_item_id"] for swap in wish["swaps"])
    order["exchange_payment_method_id"] = wish["payment_method_id"]
    order["exchange_price_difference"] = difference


def give_back(books: Books, wish: Record) -> None:
    order, method_id = books.order, wish["payment_method_id"]
    _require_status(order, "delivered")
    method = books.method(method_id)
    paid = order["payment_history"][0]["payment_method_id"]
    allowed = method_id == paid or method["source"] == "gift_card"
    require(allowed, 409, "the money goes to a gift card or back to what paid")
    items = _items(order, wish["item_ids"])
    _require_sum(wish["refund"], sum(item["price"] for item in items))
    order["status"], order["return_items"] = "return requested", sorted(wish["item_ids"])
    order["return_payment_method_id"] = method_id


def _items(order: Record, item_ids: Sequence[str]) -> list[Record]:
    """The items meant, each of those that are there twice once."""
    found = []
    for item_id, times in Counter(item_ids).items():
        same = [item for item in order["items"] if item["item_id"] == item_id]
        require(len(same) >= times, 422, f"the order has {item_id} {len(same)} times")
        found += same[:times]
    return found


def _pairs(books: Books, swaps: Sequence[Record]) -> list[tuple[Record, Record]]:
    """Each item with the variant that comes instead, in the order of the request."""
    ids = [swap["item_id"] for swap in swaps]
    waiting = _items(books.order, ids)
    pairs = []
    for swap in swaps:
        item = next(item for item in waiting if item["item_id"] == swap["item_id"])
        waiting = [other for other in waiting if other is not item]
        new = books.product(item["product_id"])["variants"].get(swap["new_item_id"])
        require(new is not None, 422, f"{swap['new_item_id']} is another product")
        require(new["available"], 409, f"{swap['new_item_id']} is not to be had now")
        pairs.append((item, new))
    return pairs


def _difference(pairs: Sequence[tuple[Record, Record]]) -> float:
    difference = 0.0
    for item, new in pairs:
        difference += new["price"] - item["price"]
    return difference


_ADDRESS = {"line_1": "address1", "line_2": "address2", "city": "city", "state": "state", "country": "country"} | {
    "zip": "zip"
}


def as_kept(address: Record) -> Record:
    """An address as the books have it."""
    return {kept: address[said] for said, kept in _ADDRESS.items()}


def as_said(address: Record) -> Record:
    """An address as the shop says it."""
    return {said: address[kept] for said, kept in _ADDRESS.items()}
