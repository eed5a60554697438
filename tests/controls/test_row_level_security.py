"""Rows of another tenant stay unseen while row-level security holds, and are stolen where it is switched off."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from engine.store.migrate import migrate
from engine.store.sql import load_queries
from tests.conftest import ROOT, fresh_database
from tests.tenancy import IDS, MARK, THIEF, Catalog, fill

pytestmark = pytest.mark.controls
_NAMED = re.compile(r"%\((\w+)\)[sb]")


@pytest.fixture(scope="module")
def catalog(postgres: str) -> Iterator[Catalog]:
    with fresh_database(postgres) as dsn:
        asyncio.run(migrate(dsn))
        fill(dsn)
        yield Catalog(dsn)


@pytest.fixture
def unbound(catalog: Catalog) -> Iterator[Catalog]:
    """The same database without the control."""
    for table in catalog.owned():
        catalog.rows(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    yield catalog
    for table in catalog.owned():
        catalog.rows(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def looted(catalog: Catalog) -> set[str]:
    """Tables of which a thief sees rows, and statements of rooms that tell a thief what they ought not to."""
    with catalog.as_tenant(THIEF) as thief:
        tables = {t for t in catalog.owned() if thief.execute(f"SELECT 1 FROM {t} LIMIT 1".encode()).fetchone()}
        return tables | {name for name, text in reads().items() if MARK in told(thief, text)}


def reads() -> dict[str, str]:
    """Statements of rooms that only look, by room and name."""
    files = sorted((ROOT / "engine").rglob("queries.sql"))
    found = {f"{path.parent.name}.{name}": text for path in files for name, text in load_queries(str(path)).items()}
    return {name: text for name, text in found.items() if re.search(r"^\s*SELECT", text, re.MULTILINE)}


def told(thief: psycopg.Connection[dict[str, Any]], text: str) -> str:
    """What a statement answers to a thief who knows every id, the victim's name included."""
    params = {name: IDS.get(name) for name in _NAMED.findall(text)}
    try:
        with thief.transaction(force_rollback=True):
            return str(thief.execute(text.encode(), params).fetchall())
    except psycopg.Error:
        return ""


def test_no_table_and_no_statement_of_a_room_tells_a_thief_anything(catalog: Catalog) -> None:
    assert looted(catalog) == set()


def test_without_row_level_security_a_thief_takes_it_all(unbound: Catalog) -> None:
    taken = looted(unbound)

    assert taken >= set(unbound.owned())
    assert len(taken) > len(unbound.owned()) + 20, "statements of rooms that tell who knows the ids"
