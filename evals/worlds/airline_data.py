"""The airline's database: a small one of our own, or a folder of the same form.

`{flights, reservations, users}`, each a mapping by id, with sums as numbers. Nothing in it says what time it is: the
airline's clock stands still.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from evals.worlds.store import Store
from evals.worlds.whole_records import RecordData, data_of, read_data, taken_out

_OWN = Path(__file__).parent / "data" / "airline.yaml"
KINDS = ("flights", "reservations", "users")
OWNER = "airline:"
FLIGHTS, RESERVATIONS, USERS = (OWNER + kind for kind in KINDS)
NOW = "2024-05-15T15:00:00"
"""When everything happens in this world."""
CITIES = {
    "ATL": "Atlanta",
    "BOS": "Boston",
    "CLT": "Charlotte",
    "DEN": "Denver",
    "DFW": "Dallas",
    "DTW": "Detroit",
    "EWR": "Newark",
    "IAH": "Houston",
    "JFK": "New York",
    "LAS": "Las Vegas",
    "LAX": "Los Angeles",
    "LGA": "New York",
    "MCO": "Orlando",
    "MIA": "Miami",
    "MSP": "Minneapolis",
    "ORD": "Chicago",
    "PHL": "Philadelphia",
    "PHX": "Phoenix",
    "SEA": "Seattle",
    "SFO": "San Francisco",
}


@cache
def own_airline() -> RecordData:
    """The small airline that ships with the project."""
    data: dict[str, Any] = yaml.safe_load(_OWN.read_text())
    return data_of(data, KINDS, OWNER)


def read_airline(folder: Path) -> RecordData:
    """A database of `flights.json`, `reservations.json`, `users.json`. Raises `ConfigurationError` naming the file."""
    return read_data(folder, KINDS, OWNER)


def airline_in(folder: Path) -> RecordData:
    """As `read_airline`; many cases share one airline, so each is read once."""
    return _airline_in(folder.resolve())


@cache
def _airline_in(folder: Path) -> RecordData:
    return read_airline(folder)


def airline_records(store: Store) -> dict[str, dict[str, str]]:
    """The database as it stands now, in the form in which it was entered."""
    return taken_out(store, KINDS, OWNER)
