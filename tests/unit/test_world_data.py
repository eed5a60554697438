"""The seeded accounts fit the tools' contracts and their own arithmetic; the complaints belong to them."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
import yaml

from evals.worlds.seed import Account, read_seed
from guards.money import minor_digits
from tools.billing import Charge, PricePlan
from tools.crm import Customer

ACCOUNTS = read_seed().accounts
COMPLAINTS = yaml.safe_load((Path(__file__).parents[2] / "evals/worlds/data/complaints.yaml").read_text())

each_account = pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.account_id)


def _charges(account: Account) -> list[Charge]:
    return [Charge.model_validate(charge) for charge in account.charges]


def _half_up(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


@each_account
def test_an_account_fits_the_contracts(account: Account) -> None:
    plan = PricePlan.model_validate(account.plan)

    assert account.customer is None or Customer.model_validate(account.customer)
    assert {charge.currency for charge in _charges(account)} == {plan.currency}
    assert account.why


@each_account
def test_charges_lie_in_order_before_today_on_the_invoice_of_their_month(account: Account) -> None:
    charges = _charges(account)

    days = [charge.posted_on for charge in charges]
    assert days == sorted(days)
    assert days[-1] <= read_seed().today
    for charge in charges:
        assert charge.invoice_id == f"IN-{charge.posted_on[:7].replace('-', '')}-{account.account_id[3:]}"


@each_account
def test_foreign_purchases_are_converted_as_they_say(account: Account) -> None:
    for charge in _charges(account):
        if charge.exchange is None:
            continue
        exchange = charge.exchange
        shift = minor_digits(charge.currency) - minor_digits(exchange.original_currency)
        base = exchange.original_cents * Decimal(exchange.reference_rate) * Decimal(10) ** shift
        markup = Decimal(exchange.base_cents * exchange.markup_bp) / 10_000

        assert exchange.base_cents == _half_up(base)
        assert charge.amount_cents == exchange.base_cents + _half_up(markup)


@each_account
def test_nothing_was_given_back_twice_in_the_data(account: Account) -> None:
    for charge in _charges(account):
        assert charge.refunded_cents + charge.credited_cents <= charge.amount_cents
        assert (charge.refunded_on is None) == (charge.refunded_cents == 0) == (charge.version == 1)


def test_ids_are_unique() -> None:
    charges = [charge.charge_id for account in ACCOUNTS for charge in _charges(account)]

    assert len(charges) == len(set(charges))


def test_customers_live_in_several_countries_and_pay_in_several_currencies() -> None:
    countries = {account.customer["country"] for account in ACCOUNTS if account.customer}
    currencies = {account.plan["currency"] for account in ACCOUNTS}

    assert len(countries) >= 8
    assert {"EUR", "GBP", "USD", "SEK", "JPY"} <= currencies


def test_every_complaint_belongs_to_an_account_and_says_why() -> None:
    accounts = {account.account_id for account in ACCOUNTS}

    assert {complaint["account"] for complaint in COMPLAINTS} == accounts
    assert all(set(complaint) == {"text", "intent", "account", "why_it_fits"} for complaint in COMPLAINTS)
    assert len({complaint["text"] for complaint in COMPLAINTS}) == len(COMPLAINTS) >= 45
