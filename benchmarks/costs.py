"""What runs make Postgres do: transactions, statements, bytes kept, bytes written ahead."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from engine.store import embedded

_SIZES = """
SELECT pg_database_size(current_database()), pg_current_wal_lsn() - '0/0'::pg_lsn
"""
_RELOAD_S = 0.3
"""Until every backend has heard of a new setting, and the last line is in the log."""


@dataclass(frozen=True)
class Sizes:
    """Bytes that one database keeps, and bytes that were written ahead for all of them."""

    kept: int
    wal: int

    @classmethod
    def of(cls, dsn: str) -> Self:
        with psycopg.connect(dsn, autocommit=True) as conn:
            row = conn.execute(_SIZES).fetchone()
        assert row
        return cls(*(int(value) for value in row))


@dataclass
class Traffic:
    """What the clients of one database have sent."""

    transactions: int = 0
    """Those of a single statement without BEGIN, and those that only read, count like any other."""
    statements: int = 0


@dataclass(frozen=True)
class Cluster:
    """An embedded Postgres of its own."""

    home: Path
    dsn: str
    pid: int
    """Of the postmaster."""

    def database(self, name: str) -> str:
        """Address of a new, empty database."""
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.dsn.rsplit("/", 1)[0] + f"/{name}"

    @contextmanager
    def traffic(self, dsn: str) -> Iterator[Traffic]:
        """Counted from Postgres's log of statements: its counters are up to ten seconds late and know no statements."""
        log, traffic = self.home / "postgres.log", Traffic()
        # The virtual transaction id stands before each statement: one for every transaction.
        self._log_statements("all", "%d %v ")
        time.sleep(_RELOAD_S)
        before = log.stat().st_size
        try:
            yield traffic
        finally:
            time.sleep(_RELOAD_S)
            with log.open("rb") as file:
                file.seek(before)
                text = file.read()
            self._log_statements("none", "%m [%p] ")
        name = urlsplit(dsn).path.strip("/").encode()
        found = re.findall(rb"^" + name + rb" (\S+) LOG:  (?:execute|statement)", text, re.MULTILINE)
        traffic.transactions, traffic.statements = len(set(found)), len(found)

    def _log_statements(self, which: str, prefix: str) -> None:
        for name, value in (("log_statement", which), ("log_line_prefix", prefix)):
            self._execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        self._execute("SELECT pg_reload_conf()")

    def _execute(self, query: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            cursor = conn.execute(query)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def cluster_in(home: Path) -> Iterator[Cluster]:
    """A cluster that is stopped at the end."""
    try:
        started = embedded.start(home, notify=lambda _: None)
        pid = int((started.data / "postmaster.pid").read_text().split()[0])
        yield Cluster(home, started.dsn, pid)
    finally:
        embedded.stop(home)
