"""Reads `data/accounts.yaml` and enters it into a store that does not have it yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from evals.worlds.store import JsonObject, Store, Value, to_text

_DATA = Path(__file__).parent / "data" / "accounts.yaml"

# What most charges have in common, so that the data file shows what is particular.
_USUAL_CHARGE: JsonObject = {
    "merchant": "",
    "fee_code": "",
    "authorisation": "",
    "status": "posted",
    "exchange": None,
}
GIVEN_BACK: JsonObject = {"refunded_cents": 0, "refunded_on": None, "credited_cents": 0, "version": 1}
"""What of a charge changes, and what it is before anything happened."""


@dataclass(frozen=True)
class Account:
    """One account as the outside systems hold it before anything is done."""

    account_id: str
    why: str
    """What this account is in the data for."""
    customer: JsonObject | None
    holder: str
    email: str
    plan: JsonObject
    charges: tuple[JsonObject, ...]


@dataclass(frozen=True)
class Seed:
    """The whole data file."""

    today: str
    next_invoice_on: str
    accounts: tuple[Account, ...]


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(_DATA.read_text())
    return data


@cache
def read_seed() -> Seed:
    """The data file, with every default filled in. Treat it as read-only: it is read once."""
    data = _data()
    accounts = tuple(account_of(account_id, record) for account_id, record in data["accounts"].items())
    return Seed(data["today"], data["next_invoice_on"], accounts)


def enter(seed: Seed, store: Store) -> None:
    """Seed the store. Repeatable: what the store has already is left as it is."""
    with store.transaction() as rows:
        for account in seed.accounts:
            own = {"account_id": account.account_id}
            if account.customer is not None:
                rows.all("seed_customer", **own, record=to_text(account.customer))
            rows.all("seed_account", **own, holder=account.holder, email=account.email, plan=to_text(account.plan))
            for charge, given_back in _split(account.charges):
                key = {"charge_id": str(charge["charge_id"]), "posted_on": str(charge["posted_on"])}
                rows.all("seed_charge", **own, **key, record=to_text(charge), **given_back)


def _split(charges: tuple[JsonObject, ...]) -> Iterator[tuple[JsonObject, dict[str, Value]]]:
    """The fixed facts of each charge, and the ones that change."""
    for charge in charges:
        fixed = {name: value for name, value in charge.items() if name not in GIVEN_BACK}
        yield fixed, {name: cast(Value, charge[name]) for name in GIVEN_BACK}


def account_of(account_id: str, record: JsonObject) -> Account:
    """One account of the form that the data file has, with every default filled in."""
    plans = cast("dict[str, JsonObject]", _data()["plans"])
    own: JsonObject = {"account_id": account_id}
    agreed = cast(JsonObject, record["plan"])
    plan = plans[str(agreed["name"])]
    currency: JsonObject = {"currency": plan["currency"]}
    customer = cast("JsonObject | None", record["customer"])
    charges = cast(list[JsonObject], record["charges"])
    return Account(
        account_id=account_id,
        why=str(record["why"]),
        customer=None if customer is None else own | currency | customer,
        holder=str(record["holder"]),
        email=str(record["email"]),
        plan=own
        | {name: value for name, value in plan.items() if name != "fees"}
        | {"fees": [{**fee, **currency} for fee in cast(list[JsonObject], plan["fees"])]}
        | {"starts_on": agreed["starts_on"], "cancelled_on": agreed.get("cancelled_on")},
        charges=tuple({**_USUAL_CHARGE, **GIVEN_BACK, **currency, **charge} for charge in charges),
    )
