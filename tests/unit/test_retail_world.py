"""The shop's tools against its world: what is found, changed once, refused; and a database that stays exact."""

import pytest

from contracts.errors import ToolRefused
from contracts.tool import ToolModel
from evals.worlds.retail_data import own_shop, records_of
from evals.worlds.sandbox import Worlds, effects_of, open_worlds
from evals.worlds.whole_records import digest_of
from tests.unit.test_worlds import use
from tools import shop_catalogue, shop_customers, shop_orders, workpad
from tools.shop_orders import CancelRequest, ItemsRequest, PaymentRequest, ReturnRequest

SMALL, DELIVERED, PROCESSED = "#W1000001", "#W1000002", "#W1000003"
CARD, GIFT, PAYPAL = "credit_card_1000001", "gift_card_1000002", "paypal_1000003"
CANCELLATION = CancelRequest(order_id=SMALL, order_version=1, reason="no longer needed", refund="138.40")


@pytest.fixture
def worlds() -> Worlds:
    return open_worlds()


async def read(worlds: Worlds, order_id: str) -> shop_orders.Order:
    return await use(worlds, shop_orders.read_order, shop_orders.OrderRequest(order_id=order_id), key="")


def swap(old: str, new: str, *, order_id: str, pays: str, difference: str) -> ItemsRequest:
    swaps = (shop_orders.Swap(item_id=old, new_item_id=new),)
    return ItemsRequest(
        order_id=order_id, order_version=1, swaps=swaps, payment_method_id=pays, price_difference=difference
    )


async def test_a_customer_is_found_by_email_and_by_name_but_not_if_two_fit(worlds: Worlds) -> None:
    email = shop_customers.EmailRequest(email="Nora.Lind@example.com")
    name = shop_customers.NameRequest(first_name="omar", last_name="Haddad", zip="85701")
    twins = shop_customers.NameRequest(first_name="Sam", last_name="Ford", zip="83702")

    assert (await use(worlds, shop_customers.find_by_email, email)).customer_id == "nora_lind_1204"
    assert (await use(worlds, shop_customers.find_by_name, name)).customer_id == "omar_haddad_3310"
    assert (await use(worlds, shop_customers.find_by_name, twins)).customer_id is None


async def test_sums_are_decimals_and_what_is_not_there_is_refused(worlds: Worlds) -> None:
    profile = await use(
        worlds, shop_customers.read_profile, shop_customers.ProfileRequest(customer_id="nora_lind_1204")
    )
    lamp = await use(worlds, shop_catalogue.read_product, shop_catalogue.ProductRequest(product_id="2000000001"))

    assert [method.balance for method in profile.payment_methods] == [None, "120.00", None]
    assert [variant.price for variant in lamp.variants] == ["48.50", "51.00", "64.90"]
    with pytest.raises(ToolRefused, match="no order"):
        await read(worlds, "#W0000000")


async def test_a_cancellation_is_done_once_and_repeated_with_the_same_answer(worlds: Worlds) -> None:
    first = await use(worlds, shop_orders.cancel_order, CANCELLATION)
    again = await use(worlds, shop_orders.cancel_order, CANCELLATION)

    assert first == again
    assert (first.status, first.version, [p.kind for p in first.payments]) == ("cancelled", 2, ["payment", "refund"])
    assert len(effects_of(worlds).shop_cancellations) == 1


async def test_a_gift_card_pays_at_once_and_never_more_than_it_has(worlds: Worlds) -> None:
    to_gift_card = PaymentRequest(order_id=SMALL, order_version=1, payment_method_id=GIFT, amount="138.40")
    cheaper = swap("2000000201", "2000000203", order_id=SMALL, pays=GIFT, difference="20.05")

    with pytest.raises(ToolRefused, match="insufficient"):
        await use(worlds, shop_orders.change_payment, to_gift_card)
    changed = await use(worlds, shop_orders.change_items, cheaper)

    assert changed.status == "pending, items changed"
    assert '"balance": 99.95' in records_of(worlds.store)["users"]["nora_lind_1204"]


REFUSED: dict[str, tuple[ToolModel, str]] = {
    "processed": (CANCELLATION.model_copy(update={"order_id": PROCESSED, "refund": "51.00"}), "not pending"),
    "changed since": (CANCELLATION.model_copy(update={"order_version": 7}), "has version 1"),
    "another sum": (CANCELLATION.model_copy(update={"refund": "138.41"}), "the sum is 138.40"),
    "another product": (swap("2000000201", "2000000101", order_id=SMALL, pays=CARD, difference="0.00"), "another prod"),
    "not to be had": (swap("2000000101", "2000000103", order_id=SMALL, pays=CARD, difference="16.40"), "not to be had"),
    "not in the order": (swap("2000000301", "2000000302", order_id=SMALL, pays=CARD, difference="10.00"), "0 times"),
    "another's method": (
        swap("2000000101", "2000000102", order_id=SMALL, pays="paypal_2000001", difference="2.50"),
        "method not found",
    ),
    "paid so already": (
        PaymentRequest(order_id=SMALL, order_version=1, payment_method_id=CARD, amount="138.40"),
        "is paid with",
    ),
    "money elsewhere": (
        ReturnRequest(
            order_id=DELIVERED, order_version=1, item_ids=("2000000301",), payment_method_id=CARD, refund="219.00"
        ),
        "back to what paid",
    ),
    "twice what is there once": (
        ReturnRequest(
            order_id=DELIVERED, order_version=1, item_ids=("2000000301",) * 2, payment_method_id=PAYPAL, refund="438.00"
        ),
        "1 times",
    ),
}
_TOOLS = {
    CancelRequest: shop_orders.cancel_order,
    ItemsRequest: shop_orders.change_items,
    PaymentRequest: shop_orders.change_payment,
    ReturnRequest: shop_orders.return_items,
}


@pytest.mark.parametrize("why", REFUSED)
async def test_the_shop_refuses_what_its_books_do_not_allow(worlds: Worlds, why: str) -> None:
    request, said = REFUSED[why]
    before = digest_of(records_of(worlds.store))

    with pytest.raises(ToolRefused, match=said):
        await use(worlds, _TOOLS[type(request)], request)

    assert digest_of(records_of(worlds.store)) == before


async def test_an_exchange_and_a_return_are_asked_for_once(worlds: Worlds) -> None:
    to_return = ReturnRequest(
        order_id=DELIVERED, order_version=1, item_ids=("2000000202",), payment_method_id=GIFT, refund="112.40"
    )
    to_exchange = swap("2000000301", "2000000303", order_id=DELIVERED, pays=PAYPAL, difference="-120.00")

    returned = await use(worlds, shop_orders.return_items, to_return)
    second = to_exchange.model_copy(update={"order_version": 2})
    with pytest.raises(ToolRefused, match="not delivered"):
        await use(worlds, shop_orders.exchange_items, second, key="key-2")

    assert returned.status == "return requested"
    assert returned.to_return == shop_orders.Return(item_ids=("2000000202",), payment_method_id=GIFT)


async def test_the_default_address_changes_and_orders_keep_theirs(worlds: Worlds) -> None:
    address = shop_customers.Address(
        line_1="5 New Street", line_2="", city="Bangor", state="ME", country="USA", zip="04401"
    )
    request = shop_customers.ProfileAddressRequest(customer_id="nora_lind_1204", address=address, profile_version=1)

    profile = await use(worlds, shop_customers.change_default_address, request)

    assert profile.address == address
    assert (await read(worlds, SMALL)).address.city == "Portland"


def test_the_digest_is_of_the_whole_database_and_of_nothing_else(worlds: Worlds) -> None:
    untouched = digest_of(own_shop().records)

    assert digest_of(records_of(worlds.store)) == untouched
    changed = {kind: dict(records) for kind, records in own_shop().records.items()}
    changed["users"]["nora_lind_1204"] = changed["users"]["nora_lind_1204"].replace("120.0", "120")
    assert digest_of(changed) != untouched


@pytest.mark.parametrize(
    ("expression", "value"),
    [("0.1 + 0.2", "0.30"), ("(158.90 - 12) * 3", "440.70"), ("-2 / 8", "-0.25"), ("10/3", "3.33")],
)
async def test_a_sum_is_worked_out_in_decimals(worlds: Worlds, expression: str, value: str) -> None:
    assert (await use(worlds, workpad.calculate, workpad.Sum(expression=expression))).value == value


@pytest.mark.parametrize("expression", ["9**9**9", "1//2", "1/0", "(1)(2)", "((", "1 2", "0/0", "9" * 150 + "*9", "()"])
async def test_what_is_no_sum_is_refused(worlds: Worlds, expression: str) -> None:
    with pytest.raises(ToolRefused):
        await use(worlds, workpad.calculate, workpad.Sum(expression=expression))
