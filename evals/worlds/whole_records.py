"""A database of whole records: entered from mappings by id, served one record at a time, taken out again, digested.

Each record is text in the store's form and has a version. Systems that keep their books so share what is here.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from contracts.errors import ConfigurationError
from evals.worlds.serving import Answer, Incoming, refusal
from evals.worlds.store import JsonObject, Rows, Store, from_text, to_text

Record = dict[str, Any]


class Objection(Exception):
    """Why the back office does not do it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def require(condition: bool, status: int, detail: str) -> None:
    """Raises `Objection` where the condition does not hold."""
    if not condition:
        raise Objection(status, detail)


@dataclass(frozen=True)
class RecordData:
    """A whole database, each record as text in the store's form."""

    records: Mapping[str, Mapping[str, str]]
    """By kind and id."""
    owner: str = ""
    """Stands before the kinds in the store, so that two databases may call a kind the same."""

    def enter(self, store: Store) -> None:
        """Seed the store. Repeatable: what the store has already is left as it is."""
        with store.transaction() as rows:
            for kind, records in self.records.items():
                for key, record in records.items():
                    rows.all("seed_shop_record", kind=self.owner + kind, key=key, record=record)


def data_of(found: Mapping[str, Mapping[str, JsonObject]], kinds: Sequence[str], owner: str = "") -> RecordData:
    """The database of these kinds."""
    return RecordData({kind: {key: to_text(record) for key, record in found[kind].items()} for kind in kinds}, owner)


def read_data(folder: Path, kinds: Sequence[str], owner: str = "") -> RecordData:
    """A database with one JSON file a kind. Raises `ConfigurationError` naming the file."""
    found: dict[str, Any] = {}
    for kind in kinds:
        file = folder / f"{kind}.json"
        try:
            found[kind] = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{file.name} in {folder.name!r} cannot be read as JSON: {error}.") from error
    return data_of(found, kinds, owner)


def taken_out(store: Store, kinds: Sequence[str], owner: str = "") -> dict[str, dict[str, str]]:
    """The database as it stands now, in the form in which it was entered."""
    with store.transaction() as rows:
        return {
            kind: {row["key"]: row["record"] for row in rows.all("shop_records", kind=owner + kind)} for kind in kinds
        }


def record_of(rows: Rows, kind: str, key: str) -> tuple[Record, int]:
    """A record and its version. Raises `Objection` where there is none."""
    row = rows.one("shop_record", kind=kind, key=key)
    if row is None:
        raise Objection(404, f"no {kind.rpartition(':')[2][:-1]} {key!r}")
    return from_text(row["record"]), int(row["version"])


def record_as_shown(rows: Rows, kind: str, key: object, version: object, noun: str) -> tuple[Record, int]:
    """A record and its version. Raises `Objection`, also for another version than a change was shown with."""
    record, found = record_of(rows, kind, str(key))
    require(found == version, 409, f"the {noun} has version {found} by now")
    return record, found


def keep_record(rows: Rows, kind: str, key: str, record: Record) -> None:
    """Change a record, which is another version from then on."""
    rows.all("keep_shop_record", kind=kind, key=key, record=to_text(record))


def answering(answer: Callable[[Rows, Incoming], Answer]) -> Callable[[Rows, Incoming], Answer]:
    """The operation with its objections as answers."""

    def act(rows: Rows, incoming: Incoming) -> Answer:
        try:
            return answer(rows, incoming)
        except Objection as objection:
            return refusal(objection.status, objection.detail)

    return act


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
