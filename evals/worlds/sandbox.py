"""Opens the worlds over one database and shows what was really done in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from starlette.types import ASGIApp

from evals.worlds.accounting import accounting_world
from evals.worlds.airline import (
    airline_customers_world,
    airline_desk_world,
    airline_flights_world,
    airline_reservations_world,
)
from evals.worlds.airline_data import own_airline
from evals.worlds.billing import billing_world
from evals.worlds.crm import crm_world
from evals.worlds.faults import Fault
from evals.worlds.mail import mail_world
from evals.worlds.purchasing import purchasing_world
from evals.worlds.retail import catalogue_world, customers_world, orders_world
from evals.worlds.retail_data import own_shop
from evals.worlds.seed import enter, read_seed
from evals.worlds.serving import Desk
from evals.worlds.store import JsonObject, Store, from_text
from evals.worlds.suppliers import suppliers_world
from evals.worlds.supplies import enter_supplies
from evals.worlds.whole_records import RecordData

EffectKind = Literal[
    "refunds",
    "credits",
    "messages",
    "orders",
    "cancellations",
    "shop_cancellations",
    "address_changes",
    "payment_changes",
    "item_changes",
    "item_returns",
    "item_exchanges",
    "profile_changes",
    "bookings",
    "reservation_cancellations",
    "flight_changes",
    "bag_changes",
    "passenger_changes",
    "certificates",
    "desk_tasks",
]
EFFECT_KINDS: tuple[EffectKind, ...] = get_args(EffectKind)
"""What may be done in the worlds, each as its world calls one of them and an `s`."""


class Worlds(dict[str, ASGIApp]):
    """The worlds by name of their system, over one store."""

    def __init__(self, store: Store, apps: Mapping[str, ASGIApp]) -> None:
        super().__init__(apps)
        self.store = store

    def close(self) -> None:
        """Close the database. Forgetting the object does the same."""
        self.store.close()


@dataclass(frozen=True)
class Request:
    """One HTTP request that a world has answered."""

    operation: str
    idempotency_key: str
    body: JsonObject
    """For a read its query."""
    status: int


@dataclass(frozen=True)
class Effects:
    """What was really done, in order: requests as they came with the numbers of their receipts added."""

    refunds: tuple[JsonObject, ...]
    credits: tuple[JsonObject, ...]
    messages: tuple[JsonObject, ...]
    orders: tuple[JsonObject, ...]
    cancellations: tuple[JsonObject, ...]
    shop_cancellations: tuple[JsonObject, ...]
    address_changes: tuple[JsonObject, ...]
    payment_changes: tuple[JsonObject, ...]
    item_changes: tuple[JsonObject, ...]
    item_returns: tuple[JsonObject, ...]
    item_exchanges: tuple[JsonObject, ...]
    profile_changes: tuple[JsonObject, ...]
    bookings: tuple[JsonObject, ...]
    reservation_cancellations: tuple[JsonObject, ...]
    flight_changes: tuple[JsonObject, ...]
    bag_changes: tuple[JsonObject, ...]
    passenger_changes: tuple[JsonObject, ...]
    certificates: tuple[JsonObject, ...]
    desk_tasks: tuple[JsonObject, ...]
    requests: tuple[Request, ...]
    """Every request, reads, repeats and refusals included."""

    @property
    def every(self) -> list[JsonObject]:
        """All of them, by kind and in order."""
        return [effect for kind in EFFECT_KINDS for effect in self.of(kind)]

    def of(self, kind: EffectKind) -> tuple[JsonObject, ...]:
        """What was done of one kind."""
        done: tuple[JsonObject, ...] = getattr(self, kind)
        return done


def open_worlds(
    path: Path | None = None,
    faults: Mapping[str, Fault] | None = None,
    *,
    shop: RecordData | None = None,
    airline: RecordData | None = None,
) -> Worlds:
    """Open every world, seeded, over the SQLite file `path`; None keeps them in memory. `shop`, `airline`: our own.

    Several processes may open the same file at once. `faults` have names of the caller's choice, under which their
    uses are counted in the file.
    """
    store, seed = Store(path), read_seed()
    if (path, shop, airline) == (None, None, None):
        _of_our_own().copy_into(store)
    else:
        _enter(store, shop or own_shop(), airline or own_airline())
    desk = Desk(store, dict(faults or {}))
    return Worlds(
        store,
        {
            "crm": crm_world(desk),
            "billing": billing_world(desk, seed),
            "mail": mail_world(desk),
            "suppliers": suppliers_world(desk),
            "accounting": accounting_world(desk),
            "purchasing": purchasing_world(desk, seed.today),
            "shop_customers": customers_world(desk),
            "shop_catalogue": catalogue_world(desk),
            "shop_orders": orders_world(desk),
            "airline_customers": airline_customers_world(desk),
            "airline_flights": airline_flights_world(desk),
            "airline_reservations": airline_reservations_world(desk),
            "airline_desk": airline_desk_world(desk),
        },
    )


@cache
def _of_our_own() -> Store:
    """What worlds begin with that keep all in memory: entered once, as each recorded case opens such worlds."""
    store = Store(None)
    _enter(store, own_shop(), own_airline())
    return store


def _enter(store: Store, shop: RecordData, airline: RecordData) -> None:
    enter(read_seed(), store)
    enter_supplies(store)
    shop.enter(store)
    airline.enter(store)


def effects_of(worlds: Worlds | Path) -> Effects:
    """Everything done so far in open worlds or in a file, which must exist: no file is not "no effects"."""
    store = worlds.store if isinstance(worlds, Worlds) else Store(worlds.resolve(strict=True))
    with store.transaction() as rows:
        done = [(row["kind"], from_text(row["request"]) | from_text(row["receipt"])) for row in rows.all("effects")]
        requests = tuple(
            Request(row["operation"], row["idempotency_key"], from_text(row["body"]), row["status"])
            for row in rows.all("requests")
        )
    by_kind = {kind: tuple(effect for of, effect in done if f"{of}s" == kind) for kind in EFFECT_KINDS}
    return Effects(**by_kind, requests=requests)
