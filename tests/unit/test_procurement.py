"""The parts of procurement that compute: what a request means, what counts beside it, what policy says of an edit."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.policy import GUARD_ASKS, GUARD_DENIES, Quorum
from engine.catalog.catalog import load_catalog
from evals.worlds.supplies import read_supplies
from graphs.procurement.matching import match
from graphs.procurement.policy import AUTOMATIC_UP_TO_CENTS, MANAGER_UP_TO_CENTS, ORDER
from graphs.procurement.spending import weigh
from graphs.procurement.stand_ins import read_request
from graphs.procurement.state import Identity, Match, Purchase, Wanted
from tools.accounting import Budget
from tools.budgets import Entry, Reserved
from tools.purchasing import Offer, Order
from tools.suppliers import Supplier

WORKFLOW = load_catalog(Path(__file__).parents[2] / "langgraph.json", routes={})["procurement"]
TODAY = "2026-11-02"
SUPPLIES = read_supplies()
SUPPLIERS = {str(s["supplier_id"]): Supplier.model_validate(s) for s in SUPPLIES.suppliers}
OFFERS = [Offer.model_validate(offer) for offer in SUPPLIES.offers]
BUDGETS = {str(b["cost_centre"]): Budget.model_validate(b) for b in SUPPLIES.budgets}
PAPER: Wanted = {
    "supplier": "Bramley",
    "item": "boxes of copy paper",
    "quantity": 5,
    "expected_cents": None,
    "expected_currency": "",
    "answered_by": "test",
}


def matched(said: str = "5 boxes of copy paper from Bramley", *suppliers: str, **changes: Any) -> Match:
    found = [SUPPLIERS[name] for name in suppliers or ("SU-2001",)]
    offers = [offer for offer in OFFERS if offer.supplier_id in [supplier.supplier_id for supplier in found]]
    wanted: Any = PAPER | changes
    return match(wanted, said, found, offers, BUDGETS["CC-4100"], today=TODAY)


def purchase(*suppliers: str, **changes: Any) -> Purchase:
    found = matched(*(("5 boxes of copy paper from Bramley", *suppliers) if suppliers else ()), **changes)["purchase"]
    assert found is not None
    return found


def test_price_currency_and_account_come_from_the_registers() -> None:
    found = purchase(expected_cents=1, expected_currency="EUR")

    assert (found["amount_cents"], found["currency"]) == (10_950, "EUR")
    assert found["bank_account"] == SUPPLIERS["SU-2001"].bank_account
    assert found["evidence"] == "conflicting"


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({"quantity": None}, "How many"),
        ({"quantity": 501}, "500 at most"),
        ({"item": ""}, "Which one thing"),
        ({"item": "desk lamp"}, "Which one thing"),
        ({"item": "elephant"}, "Which one thing"),
    ],
)
def test_what_is_not_said_is_asked_and_not_guessed(changes: dict[str, Any], asks: str) -> None:
    found = matched(**changes)

    assert (found["standing"], found["purchase"]) == ("unclear", None)
    assert asks in found["says"]


def test_a_name_of_several_suppliers_or_of_none_is_asked() -> None:
    several = matched("5 from Kestrel", "SU-2002", "SU-2008")
    none = match(PAPER, "", [], [], BUDGETS["CC-4100"], today=TODAY)

    assert "Kestrel Computing GmbH (SU-2002); Kestrel Consulting SARL (SU-2008)" in several["says"]
    assert "The register knows no 'Bramley'" in none["says"]


@pytest.mark.parametrize(
    ("said", "evidence"),
    [
        ("5 boxes of copy paper from Bramley", "clear"),
        ("five boxes of copy paper from SU-2001", "clear"),
        ("50 boxes of copy paper from Bramley", "conflicting"),
        ("5 boxes of copy paper from Office Depot", "conflicting"),
        ("copy paper, 5", "conflicting"),
    ],
)
def test_what_a_model_reads_and_nobody_said_makes_the_evidence_conflicting(said: str, evidence: str) -> None:
    found = matched(said)["purchase"]

    assert found is not None
    assert found["evidence"] == evidence


@pytest.mark.parametrize(
    ("tie", "trust"),
    [
        ({"shares": "owner", "sanctioned": True}, "sanctioned"),
        ({"shares": "bank_account", "sanctioned": True}, "sanctioned"),
        ({"shares": "address", "sanctioned": True}, "approved"),
        ({"shares": "owner", "sanctioned": False}, "approved"),
    ],
)
def test_who_shares_an_owner_or_an_account_with_a_sanctioned_one_is_sanctioned(tie: dict[str, Any], trust: str) -> None:
    tied = SUPPLIERS["SU-2001"].model_dump() | {"ties": [{"supplier_id": "SU-2003", "name": "Nordwind"} | tie]}

    found = match(PAPER, "", [Supplier.model_validate(tied)], OFFERS[:5], BUDGETS["CC-4100"], today=TODAY)

    assert found["purchase"] is not None
    assert found["purchase"]["trust"] == trust


@pytest.mark.parametrize("since", ["2026-10-28", "2026-13-45"])
def test_an_account_that_is_new_or_of_no_known_day_is_doubtful(since: str) -> None:
    fresh = SUPPLIERS["SU-2001"].model_copy(update={"bank_account_since": since})

    found = match(PAPER, "", [fresh], OFFERS[:5], BUDGETS["CC-4100"], today=TODAY)

    assert found["purchase"] is not None
    assert found["purchase"]["account"] == "changed"


@given(said=st.text(max_size=200), item=st.text(max_size=40), quantity=st.none() | st.integers(1, 100_000))
def test_whatever_is_said_price_and_account_stay_those_of_the_registers(
    said: str, item: str, quantity: int | None
) -> None:
    read_request({"request": said, "clarification": said, "reviewer_note": ""})

    found = matched(said, item=item, quantity=quantity)["purchase"]

    if found is not None:
        offer = next(offer for offer in OFFERS if offer.offer_id == found["offer_id"])
        assert found["amount_cents"] == (quantity or 0) * offer.unit_price_cents
        assert found["bank_account"] == SUPPLIERS["SU-2001"].bank_account


ME: Identity = {"reference": "mine", "requester": "key:ina", "today": TODAY}
OWN = {"requester": "key:ina", "supplier_id": "SU-2001", "offer_id": "OF-2001-01", "quantity": 5, "currency": "EUR"}


def entry(reference: str, **changes: Any) -> Entry:
    usual = OWN | {"reference": reference, "amount_cents": 1_000, "on": "2026-11-01", "status": "reserved"}
    return Entry.model_validate(usual | changes)


def order(reference: str, **changes: Any) -> Order:
    usual = OWN | {"reference": reference, "amount_cents": 1_000, "placed_on": "2026-11-01", "status": "open"}
    return Order.model_validate(usual | {"order_id": "PO-0000000000B1", "cost_centre": "CC-4100"} | changes)


@pytest.mark.parametrize(
    ("orders", "entries", "committed", "lately"),
    [
        ([], [], 0, 0),
        ([order("a")], [entry("b")], 2_000, 2_000),
        ([order("a")], [entry("a", status="spent")], 1_000, 1_000),
        ([order("a", status="cancelled")], [entry("a", status="spent")], 0, 0),
        ([order("a", requester="key:leo")], [entry("b", supplier_id="SU-2002")], 2_000, 0),
        ([order("a", placed_on="2026-10-03")], [], 1_000, 1_000),
        ([order("a", placed_on="2026-10-02")], [], 1_000, 0),
        ([order("mine")], [entry("mine")], 0, 0),
        ([order("a", supplier_id="SU-2013")], [], 1_000, 1_000),
    ],
)
def test_everything_beside_the_order_counts_once(
    orders: list[Order], entries: list[Entry], committed: int, lately: int
) -> None:
    reserved = Reserved(reference="mine", cost_centre="CC-4100", amount_cents=1, currency="EUR", others=tuple(entries))
    budget = BUDGETS["CC-4100"].model_copy(update={"spent_cents": 0})

    found = weigh(ME, purchase(), budget, orders, reserved)

    assert (found["committed_cents"], found["lately_cents"]) == (committed, lately)


ARGS: dict[str, Any] = {
    "reference": "mine",
    "requester": "key:ina",
    "cost_centre": "CC-4100",
    "supplier_id": "SU-2001",
    "supplier_version": 1,
    "offer_id": "OF-2001-01",
    "offer_version": 1,
    "quantity": 5,
    "amount_cents": 10_950,
    "currency": "EUR",
    "bank_account": SUPPLIERS["SU-2001"].bank_account,
}
FACTS: dict[str, Any] = {
    "read": purchase(),
    "own": ["mine", "key:ina", "CC-4100"],
    "trust": "approved",
    "category_approved": True,
    "account": "confirmed",
    "evidence": "clear",
    "double": False,
    "reserved_cents": 10_950,
    "limit_cents": 2_000_000,
    "committed_cents": 0,
    "lately_cents": 0,
}


GUARDED: dict[str, Any] = {GUARD_ASKS: False, GUARD_DENIES: False}
"""What the engine says of a call in which no guard has found anything."""


def verdict(args: dict[str, Any] | None = None, **facts: Any) -> tuple[str, str]:
    judged = WORKFLOW.judge(ORDER, ARGS | (args or {}), FACTS | facts, GUARDED).verdict
    return judged.type, judged.quorum.said() if judged.quorum != Quorum((), 0) else judged.rule


TWO = "2 of manager, finance, director (finance among them)"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ("allow", "order-small-and-clear")),
        ({"lately_cents": AUTOMATIC_UP_TO_CENTS["EUR"] - 10_950}, ("allow", "order-small-and-clear")),
        ({"lately_cents": AUTOMATIC_UP_TO_CENTS["EUR"] - 10_949}, ("require_approval", "manager")),
        ({"lately_cents": MANAGER_UP_TO_CENTS["EUR"] - 10_950}, ("require_approval", "manager")),
        ({"lately_cents": MANAGER_UP_TO_CENTS["EUR"] - 10_949}, ("require_approval", TWO)),
        ({"trust": "new"}, ("require_approval", TWO)),
        ({"account": "changed"}, ("require_approval", TWO)),
        ({"account": "disputed", "evidence": "conflicting"}, ("require_approval", TWO)),
        ({"category_approved": False}, ("require_approval", "manager")),
        ({"double": True}, ("require_approval", "manager")),
        ({"evidence": "conflicting"}, ("require_approval", "manager")),
        ({"committed_cents": 1_989_050}, ("allow", "order-small-and-clear")),
        ({"committed_cents": 1_989_051}, ("deny", "order-over-budget")),
        ({"trust": "sanctioned", "lately_cents": 10**9}, ("deny", "order-from-sanctioned-supplier")),
        ({"trust": "blocked"}, ("deny", "order-from-blocked-supplier")),
        ({"reserved_cents": 10_949}, ("deny", "order-over-reservation")),
    ],
)
def test_policy_judges_an_order_with_what_counts_beside_it(facts: dict[str, Any], said: tuple[str, str]) -> None:
    assert verdict(**facts) == said


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        ({"supplier_id": "SU-2003"}, "order-of-what-nobody-read"),
        ({"supplier_version": 2}, "order-of-what-nobody-read"),
        ({"offer_id": "OF-2001-02"}, "order-of-what-nobody-read"),
        ({"offer_version": 2}, "order-of-what-nobody-read"),
        ({"currency": "JPY"}, "order-of-what-nobody-read"),
        ({"bank_account": "LT601010012345678901"}, "order-paid-elsewhere"),
        ({"requester": "key:leo"}, "order-for-somebody-else"),
        ({"cost_centre": "CC-4200"}, "order-for-somebody-else"),
        ({"reference": "another"}, "order-for-somebody-else"),
        ({"amount_cents": 10_949}, "order-at-another-price"),
        ({"quantity": 4}, "order-at-another-price"),
        ({"quantity": 6, "amount_cents": 13_140}, "order-over-reservation"),
    ],
)
def test_an_edit_of_anything_but_how_many_is_denied(edit: dict[str, Any], rule: str) -> None:
    kind, rules = verdict(edit)

    assert (kind, rule in rules) == ("deny", True)
    assert verdict({"quantity": 4, "amount_cents": 8_760}) == ("allow", "order-small-and-clear")


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_is_missing_opens_no_gate(name: str) -> None:
    facts = {other: value for other, value in FACTS.items() if other != name}

    judged = WORKFLOW.judge(ORDER, ARGS, facts, GUARDED).verdict

    assert judged.type != "allow"


def test_limits_are_for_known_currencies_alone() -> None:
    read = FACTS["read"] | {"currency": "NOK"}

    assert verdict({"currency": "NOK"}, read=read) == ("require_approval", TWO)
    assert set(AUTOMATIC_UP_TO_CENTS) == set(MANAGER_UP_TO_CENTS)


@pytest.mark.parametrize(
    ("request_text", "read"),
    [
        ("Could you order 10 boxes of A4 paper from Bramley please", ("Bramley", "boxes of A4 paper", 10)),
        ("an espresso machine from Bramley Office Supplies", ("Bramley Office Supplies", "espresso machine", 1)),
        ("we need stuff", ("", "", None)),
    ],
)
def test_the_stand_in_reads_plain_requests_and_leaves_the_rest(
    request_text: str, read: tuple[str, str, int | None]
) -> None:
    found = read_request({"request": request_text, "clarification": "", "reviewer_note": ""})

    assert (found["supplier"], found["item"], found["quantity"]) == read
