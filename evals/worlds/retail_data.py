"""The shop's database: read from a file of our own or a folder of the same form, entered, taken out again, digested.

`{customers|users, orders, products}`, each a mapping by id, with sums as numbers: the shop keeps its books so, and says
decimals to whoever asks.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import ConfigurationError
from evals.worlds.store import JsonObject, Store, from_text, to_text

_OWN = Path(__file__).parent / "data" / "retail.yaml"
KINDS = ("orders", "products", "users")


@dataclass(frozen=True)
class ShopData:
    """A whole database of the shop, each record as text in the store's form."""

    records: Mapping[str, Mapping[str, str]]
    """By kind and id."""

    def enter(self, store: Store) -> None:
        """Seed the store. Repeatable: what the store has already is left as it is."""
        with store.transaction() as rows:
            for kind, records in self.records.items():
                for key, record in records.items():
                    rows.all("seed_shop_record", kind=kind, key=key, record=record)


@cache
def own_shop() -> ShopData:
    """The small shop that ships with the project."""
    data: dict[str, Any] = yaml.safe_load(_OWN.read_text())
    return _shop({kind: data[kind] for kind in KINDS})


def read_shop(folder: Path) -> ShopData:
    """A database of `orders.json`, `products.json` and `users.json`. Raises `ConfigurationError` naming the file."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        file = folder / f"{kind}.json"
        try:
            found[kind] = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{file.name} in {folder.name!r} cannot be read as JSON: {error}.") from error
    return _shop(found)


def _shop(found: Mapping[str, Mapping[str, JsonObject]]) -> ShopData:
    return ShopData({kind: {key: to_text(record) for key, record in found[kind].items()} for kind in KINDS})


def records_of(store: Store) -> dict[str, dict[str, str]]:
    """The database as it stands now, in the form in which it was entered."""
    with store.transaction() as rows:
        return {kind: {row["key"]: row["record"] for row in rows.all("shop_records", kind=kind)} for kind in KINDS}


def digest_of(records: Mapping[str, Mapping[str, str]]) -> str:
    """SHA-256 in hex over the whole database: mappings as sorted pairs and lists as tuples, as Python writes them."""
    return hashlib.sha256(_tuple(_kinds(records)).encode()).hexdigest()


def _kinds(records: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for kind in sorted(records):
        pairs = (_tuple((repr(key), _written(records[kind][key]))) for key in sorted(records[kind]))
        yield _tuple((repr(kind), _tuple(pairs)))


@cache
def _written(record: str) -> str:
    """How Python writes one record; most are the same in every database, so each is written once."""
    return repr(_frozen(from_text(record)))


def _frozen(value: object) -> object:
    match value:
        case dict():
            return tuple((key, _frozen(value[key])) for key in sorted(value))
        case list():
            return tuple(_frozen(part) for part in value)
    return value


def _tuple(parts: Iterator[str] | tuple[str, ...]) -> str:
    """As Python writes a tuple of what is written already."""
    listed = list(parts)
    return f"({listed[0]},)" if len(listed) == 1 else f"({', '.join(listed)})"
