"""The shop's database: a small one of our own, or a folder of the same form.

`{users, orders, products}`, each a mapping by id, with sums as numbers: the shop keeps its books so, and says decimals
to whoever asks.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from evals.worlds.store import Store
from evals.worlds.whole_records import RecordData, data_of, read_data, taken_out

_OWN = Path(__file__).parent / "data" / "retail.yaml"
KINDS = ("orders", "products", "users")


@cache
def own_shop() -> RecordData:
    """The small shop that ships with the project."""
    data: dict[str, Any] = yaml.safe_load(_OWN.read_text())
    return data_of(data, KINDS)


def read_shop(folder: Path) -> RecordData:
    """A database of `orders.json`, `products.json` and `users.json`. Raises `ConfigurationError` naming the file."""
    return read_data(folder, KINDS)


def records_of(store: Store) -> dict[str, dict[str, str]]:
    """The database as it stands now, in the form in which it was entered."""
    return taken_out(store, KINDS)
