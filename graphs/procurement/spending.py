"""What counts against a budget: orders that the purchasing system lists, and what cases under way have set aside."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from graphs.procurement.state import Identity, Purchase, Spending
from tools.accounting import Budget
from tools.budgets import Entry, Reserved
from tools.purchasing import Order

WINDOW_DAYS = 30
"""Orders of one requester from one supplier, or several in one hand, within so many days are judged as one."""


@dataclass(frozen=True)
class _Item:
    """One order, or what is to become one."""

    reference: str
    requester: str
    supplier_id: str
    offer_id: str
    quantity: int
    amount_cents: int
    on: str


def weigh(
    identity: Identity, purchase: Purchase, budget: Budget, orders: Iterable[Order], reserved: Reserved
) -> Spending:
    """Everything beside this case's own order: spent, ordered and set aside, each once."""
    items = [item for item in _each_once(orders, reserved.others) if item.reference != identity["reference"]]
    since = (date.fromisoformat(identity["today"]) - timedelta(days=WINDOW_DAYS)).isoformat()
    sellers = {purchase["supplier_id"], *purchase["in_one_hand"]}
    own = (item for item in items if item.requester == identity["requester"])
    lately = [item for item in own if item.supplier_id in sellers and item.on >= since]
    same = (purchase["offer_id"], purchase["quantity"])
    return {
        "limit_cents": budget.limit_cents,
        "committed_cents": budget.spent_cents + sum(item.amount_cents for item in items),
        "lately_cents": sum(item.amount_cents for item in lately),
        "doubles": [item.reference for item in lately if (item.offer_id, item.quantity) == same],
    }


def _each_once(orders: Iterable[Order], entries: Iterable[Entry]) -> Iterator[_Item]:
    """The purchasing system is right about what it lists: a cancelled order frees its money there and then."""
    listed = list(orders)
    for order in listed:
        if order.status == "open":
            yield _Item(order.reference, *_of(order), order.placed_on)
    known = {order.reference for order in listed}
    for entry in entries:
        if entry.reference not in known:
            yield _Item(entry.reference, *_of(entry), entry.on)


def _of(said: Order | Entry) -> tuple[str, str, str, int, int]:
    return said.requester, said.supplier_id, said.offer_id, said.quantity, said.amount_cents
