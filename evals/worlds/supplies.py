"""Reads `data/supplies.yaml` and enters it into a store that does not have it yet."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from evals.worlds.store import JsonObject, Store, to_text

_DATA = Path(__file__).parent / "data" / "supplies.yaml"

# What most suppliers and offers have in common, so that the data file shows what is particular.
_USUAL_SUPPLIER: JsonObject = {
    "also_known_as": [],
    "standing": "approved",
    "categories": [],
    "bank_account_since": "2021-03-01",
    "ties": [],
    "version": 1,
}
_USUAL_OFFER: JsonObject = {
    "currency": "EUR",
    "most": 500,
    "valid_until": None,
    "pay_to": None,
    "note": "",
    "version": 1,
}

_LISTED = ("order_id", "reference", "cost_centre", "placed_on", "status")


@dataclass(frozen=True)
class Supplies:
    """The whole data file, in the form in which the outside systems answer."""

    suppliers: tuple[JsonObject, ...]
    offers: tuple[JsonObject, ...]
    budgets: tuple[JsonObject, ...]
    orders: tuple[JsonObject, ...]


@cache
def read_supplies() -> Supplies:
    """The data file, with every default filled in. Treat it as read-only: it is read once."""
    data: dict[str, Any] = yaml.safe_load(_DATA.read_text())
    suppliers, period = data["suppliers"], {"period_starts_on": data["period_starts_on"]}
    return Supplies(
        suppliers=tuple(
            _USUAL_SUPPLIER | {"supplier_id": supplier_id} | _without(record, "why", "offers")
            for supplier_id, record in suppliers.items()
        ),
        offers=tuple(
            _USUAL_OFFER | {"supplier_id": supplier_id} | offer
            for supplier_id, record in suppliers.items()
            for offer in record["offers"]
        ),
        budgets=tuple({"cost_centre": name} | record | period for name, record in data["cost_centres"].items()),
        orders=tuple(_without(order, "why") for order in data["orders"]),
    )


def enter_supplies(store: Store) -> None:
    """Seed the store. Repeatable: what the store has already is left as it is."""
    supplies = read_supplies()
    with store.transaction() as rows:
        for supplier in supplies.suppliers:
            record, version = to_text(_without(supplier, "version")), int(str(supplier["version"]))
            rows.all("seed_supplier", supplier_id=str(supplier["supplier_id"]), record=record, version=version)
        for offer in supplies.offers:
            own = {"offer_id": str(offer["offer_id"]), "supplier_id": str(offer["supplier_id"])}
            record, version = to_text(_without(offer, "version")), int(str(offer["version"]))
            rows.all("seed_offer", **own, record=record, version=version)
        for budget in supplies.budgets:
            rows.all("seed_cost_centre", cost_centre=str(budget["cost_centre"]), record=to_text(budget))
        for order in supplies.orders:
            listed = {name: str(order[name]) for name in _LISTED}
            rows.all("enter_purchase", **listed, record=to_text(_without(order, "status")))


def _without(record: JsonObject, *names: str) -> JsonObject:
    return {name: value for name, value in record.items() if name not in names}
