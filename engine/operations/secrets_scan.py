"""Looks for secrets where none may be: in the database, in what is sealed there, and in files such as logs."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import InvalidRequest
from contracts.sensitive import find_keys
from engine.audit.audit import salts
from engine.credentials.redactor import Redactor, is_maskable
from engine.runs.threads import tenants_of_threads
from engine.store.database import Connection
from engine.store.scanning import everything_stored

_PIECE = 1_000_000
_OVERLAP = 4_096
"""A secret that lies across two pieces of a file is found in the next one."""


@dataclass(frozen=True)
class Hit:
    """A secret where none may be: never the secret itself."""

    where: str
    """A column, as in `effect.result`, or a file."""
    row: str
    """The row's key; in a file, the byte near which it stands."""
    what: str
    """Where the secret is configured, or the kind of key that it has the form of."""


@dataclass(frozen=True)
class Scan:
    """What was looked at and what was found."""

    values: int
    hits: tuple[Hit, ...]
    weak: tuple[str, ...]
    """Secrets too short or plain to be told from ordinary text: they were not looked for."""


class Searched:
    """The secrets that are looked for, by what they are called."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._by_name = {name: _knowing(value) for name, value in secrets.items() if is_maskable(value)}
        self._all = Redactor()
        for name in self._by_name:
            self._all.learn(secrets[name])
        self.weak = tuple(sorted(name for name, value in secrets.items() if not is_maskable(value)))

    def found_in(self, text: str) -> Iterator[str]:
        """What of it stands in a text."""
        if self._all.exact(text) != text:
            yield from (name for name, one in self._by_name.items() if one.exact(text) != text)
        yield from dict.fromkeys(found.kind for found in find_keys(self._all.exact(text)))


async def scan(conn: Connection, searched: Searched, key: bytes | None, files: Iterable[Path]) -> Scan:
    """Look everywhere; expects a transaction. Raises `InvalidRequest` for a file that cannot be read, `SealBroken`."""
    values, hits = 0, []
    async for where, row, text in _everywhere(conn, key, files):
        values += 1
        hits += [Hit(where, row, what) for what in searched.found_in(text)]
    return Scan(values, tuple(dict.fromkeys(hits)), searched.weak)


async def _everywhere(
    conn: Connection, key: bytes | None, files: Iterable[Path]
) -> AsyncIterator[tuple[str, str, str]]:
    async for stored in everything_stored(conn, key, await tenants_of_threads(conn), await salts(conn)):
        yield f"{stored.table}.{stored.column}", stored.row, stored.text
    for path in files:
        for place, text in _pieces(path):
            yield str(path), f"byte {place}", text


def _pieces(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open("rb") as file:
            place, before = 0, b""
            while piece := file.read(_PIECE):
                yield max(0, place - len(before)), (before + piece).decode(errors="replace")
                place, before = place + len(piece), piece[-_OVERLAP:]
    except OSError as error:
        raise InvalidRequest(f"{str(path)!r} cannot be read: {type(error).__name__}.") from None


def _knowing(value: str) -> Redactor:
    one = Redactor()
    one.learn(value)
    return one
