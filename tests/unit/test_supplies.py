"""The worlds of procurement: what is seeded fits the contracts, orders happen once, and drift is refused."""

from typing import Any

import pytest

from contracts.errors import ToolRefused
from contracts.tool import Call
from evals.worlds.sandbox import Worlds, effects_of, open_worlds
from evals.worlds.supplies import read_supplies
from tests.unit.test_worlds import Wire, use
from tools import accounting, purchasing, suppliers

SUPPLIES = read_supplies()
ORDER = purchasing.PlaceRequest(
    reference="case-1",
    requester="key:ben",
    cost_centre="CC-4200",
    supplier_id="SU-2002",
    supplier_version=1,
    offer_id="OF-2002-01",
    offer_version=1,
    quantity=2,
    amount_cents=248_000,
    currency="EUR",
    bank_account="DE75512108001245126199",
)


@pytest.fixture
def worlds() -> Worlds:
    return open_worlds()


async def happen(worlds: Worlds, system: str, path: str, **body: Any) -> None:
    """Somebody else does something in an outside system."""
    await Wire(worlds, system, "somebody else")("POST", path, body=body)


def test_what_is_seeded_fits_the_contracts() -> None:
    known = {supplier["supplier_id"]: suppliers.Supplier.model_validate(supplier) for supplier in SUPPLIES.suppliers}
    offers = {offer["offer_id"]: purchasing.Offer.model_validate(offer) for offer in SUPPLIES.offers}
    budgets = {budget["cost_centre"]: accounting.Budget.model_validate(budget) for budget in SUPPLIES.budgets}
    orders = [purchasing.Order.model_validate(order) for order in SUPPLIES.orders]

    assert {offer.supplier_id for offer in offers.values()} == set(known)
    assert {tie.supplier_id for supplier in known.values() for tie in supplier.ties} <= set(known)
    assert {order.cost_centre for order in orders} <= set(budgets)
    assert [o for o in orders if o.amount_cents != o.quantity * offers[o.offer_id].unit_price_cents] == []
    assert (len(offers), len(known)) == (len(SUPPLIES.offers), len(SUPPLIES.suppliers))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Bramley", ["SU-2001"]),
        ("bramley office supplies LTD", ["SU-2001"]),
        ("Kestrel", ["SU-2002", "SU-2008"]),
        ("NWH Trading", ["SU-2003"]),
        ("polar trade services", ["SU-2003"]),
        ("SU-2006", ["SU-2006"]),
        ("Acme", []),
        ("Nоrdwind", []),  # noqa: RUF001  # a Cyrillic letter that looks like one of ours
    ],
)
async def test_a_supplier_is_found_by_every_name_that_the_register_knows(
    worlds: Worlds, name: str, found: list[str]
) -> None:
    reply = await use(worlds, suppliers.find_suppliers, suppliers.SuppliersRequest(name=name))

    assert [supplier.supplier_id for supplier in reply.found] == found


async def test_a_repeated_order_gets_the_first_receipt_and_is_listed_once(worlds: Worlds) -> None:
    receipts = [await use(worlds, purchasing.place_order, ORDER) for _ in range(3)]
    november = purchasing.OrdersRequest(cost_centre="CC-4200", since="2026-11-01")
    listed = await use(worlds, purchasing.list_orders, november)

    assert (len(set(receipts)), len(effects_of(worlds).orders)) == (1, 1)
    assert [(order.order_id, order.amount_cents) for order in listed.orders] == [(receipts[0].order_id, 248_000)]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"supplier_version": 2}, "supplier has version 1"),
        ({"offer_version": 2}, "offer has version 1"),
        ({"amount_cents": 247_999}, "124000 each"),
        ({"currency": "USD"}, "is in EUR"),
        ({"bank_account": "LT601010012345678901"}, "another account"),
        ({"supplier_id": "SU-2003"}, "has no offer"),
        ({"supplier_id": "SU-2010", "offer_id": "OF-2010-01"}, "is blocked"),
        ({"supplier_id": "SU-2003", "offer_id": "OF-2003-01"}, "is sanctioned"),
    ],
)
async def test_an_order_that_does_not_fit_the_registers_is_refused(
    worlds: Worlds, wrong: dict[str, Any], why: str
) -> None:
    with pytest.raises(ToolRefused, match=why):
        await use(worlds, purchasing.place_order, ORDER.model_copy(update=wrong))

    assert effects_of(worlds).orders == ()


@pytest.mark.parametrize(
    ("system", "path", "body", "why"),
    [
        ("suppliers", "/changes", {"supplier_id": "SU-2002", "standing": "sanctioned"}, "is sanctioned"),
        ("suppliers", "/changes", {"supplier_id": "SU-2002", "bank_account_since": "2026-11-02"}, "version 2"),
        (
            "purchasing",
            "/prices",
            {"supplier_id": "SU-2002", "offer_id": "OF-2002-01", "unit_price_cents": 124_000},
            "offer has version 2",
        ),
    ],
)
async def test_what_changed_since_it_was_read_is_not_ordered(
    worlds: Worlds, system: str, path: str, body: dict[str, Any], why: str
) -> None:
    before = await purchasing.read_terms(ORDER, Call("key-1", Wire(worlds, "purchasing", "")))
    await happen(worlds, system, path, **body)
    after = await purchasing.read_terms(ORDER, Call("key-1", Wire(worlds, "purchasing", "")))

    assert before == {"supplier_version": 1, "offer_version": 1} != after
    with pytest.raises(ToolRefused, match=why):
        await use(worlds, purchasing.place_order, ORDER)


async def test_a_case_has_one_open_order_and_may_cancel_it_once(worlds: Worlds) -> None:
    placed = await use(worlds, purchasing.place_order, ORDER)
    with pytest.raises(ToolRefused, match="an open order"):
        await use(worlds, purchasing.place_order, ORDER, key="key-2")

    wish = purchasing.CancelRequest(order_id=placed.order_id, reference="case-1")
    cancelled = [await use(worlds, purchasing.cancel_order, wish, key="key-3") for _ in range(2)]

    assert (len(set(cancelled)), len(effects_of(worlds).cancellations)) == (1, 1)
    with pytest.raises(ToolRefused, match="is cancelled"):
        await use(worlds, purchasing.cancel_order, wish, key="key-4")


async def test_the_order_of_another_case_is_not_cancelled(worlds: Worlds) -> None:
    placed = await use(worlds, purchasing.place_order, ORDER)

    with pytest.raises(ToolRefused, match="no order"):
        await use(
            worlds, purchasing.cancel_order, purchasing.CancelRequest(order_id=placed.order_id, reference="case-2")
        )

    assert effects_of(worlds).cancellations == ()


def test_the_compensation_of_an_order_is_its_cancellation() -> None:
    compensation = purchasing.place_order.compensation
    placed = purchasing.PlacedOrder(
        order_id="PO-0000000000C1",
        reference="case-1",
        supplier_id="SU-2002",
        amount_cents=248_000,
        currency="EUR",
        placed_on="2026-11-02",
    )

    assert compensation is not None
    assert compensation.tool is purchasing.cancel_order
    assert compensation.request(ORDER, placed) == purchasing.CancelRequest(
        order_id="PO-0000000000C1", reference="case-1"
    )
