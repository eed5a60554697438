"""The state of all worlds: one SQLite database that several processes may open at once."""

import json
import re
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import JsonValue

JsonObject = dict[str, JsonValue]
Value = str | int | None

_HERE = Path(__file__).parent
_BUSY_S = 30.0


def _named_statements(text: str) -> dict[str, str]:
    parts = re.split(r"^-- name: (\w+)\s*$", text, flags=re.MULTILINE)
    return {name: statement.strip() for name, statement in zip(parts[1::2], parts[2::2], strict=True)}


_SQL = _named_statements((_HERE / "queries.sql").read_text())


class Rows:
    """The named statements of `queries.sql` inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, statement: str, **values: Value) -> list[sqlite3.Row]:
        return self._connection.execute(_SQL[statement], values).fetchall()

    def one(self, statement: str, **values: Value) -> sqlite3.Row | None:
        rows = self.all(statement, **values)
        return rows[0] if rows else None


class Store:
    """One connection, used by one thread at a time. `path` None keeps everything in memory, for this object alone."""

    def __init__(self, path: Path | None) -> None:
        where = ":memory:" if path is None else path
        self._connection = sqlite3.connect(where, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, self._connection.close)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript((_HERE / "schema.sql").read_text())

    def copy_into(self, other: "Store") -> None:
        """Have another one hold what this one holds."""
        with self._lock:
            self._connection.backup(other._connection)

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        """Everything or nothing, and nobody writes in between: the write lock is taken at the start."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield Rows(self._connection)


def to_text(value: Mapping[str, JsonValue]) -> str:
    """JSON in one form, so that equal requests are equal texts."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def from_text(text: str) -> JsonObject:
    value: JsonObject = json.loads(text)
    return value
