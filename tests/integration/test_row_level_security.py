"""Postgres itself keeps tenants apart: on every table, whatever a statement forgets to ask for."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.json import Jsonb

from engine.store.migrate import migrate
from engine.store.scope import APP_ROLE
from tests.conftest import fresh_database
from tests.tenancy import BY_ANOTHER, SHARED, THIEF, VICTIM, Catalog, fill

_POLICY = (
    "((tenant = current_setting('gatehouse.tenant'::text, true)) OR "
    "(current_setting('gatehouse.across'::text, true) = 'on'::text))"
)


@pytest.fixture(scope="module")
def catalog(postgres: str) -> Iterator[Catalog]:
    with fresh_database(postgres) as dsn:
        asyncio.run(migrate(dsn))
        fill(dsn)
        yield Catalog(dsn)


def test_every_table_is_kept_to_tenants_or_stands_in_the_list(catalog: Catalog) -> None:
    tables = catalog.tables()

    unbound = sorted(name for name, table in tables.items() if not table["bound"])

    assert unbound == sorted(SHARED), "in its migration: SELECT keep_to_tenants('the_table')"
    policies = {name: (tables[name]["policies"], tables[name]["n"]) for name in catalog.owned()}
    assert {name: said for name, said in policies.items() if said != ([_POLICY], 1)} == {}


def test_every_view_shows_what_its_reader_may_see(catalog: Catalog) -> None:
    views = catalog.rows(
        "SELECT relname, coalesce(reloptions::text, '') AS options FROM pg_class WHERE relkind = 'v' "
        "AND relnamespace = 'public'::regnamespace"
    )

    assert [view["relname"] for view in views if "security_invoker=true" not in view["options"]] == []


def test_the_application_owns_nothing_and_is_nobody_of_power(catalog: Catalog) -> None:
    [role] = catalog.rows("SELECT * FROM pg_roles WHERE rolname = %s", APP_ROLE)
    owns = catalog.rows("SELECT relname FROM pg_class WHERE relowner = %s::regrole", APP_ROLE)
    may = catalog.rows("SELECT has_schema_privilege(%s, 'public', 'CREATE') AS makes", APP_ROLE)

    assert not any(role[f"rol{power}"] for power in ("super", "bypassrls", "createrole", "createdb", "canlogin"))
    assert (owns, may) == ([], [{"makes": False}])


def test_the_victim_has_something_to_steal_in_every_table(catalog: Catalog) -> None:
    empty = [t for t in catalog.owned() if not catalog.rows(f"SELECT 1 FROM {t} WHERE tenant = %s", VICTIM)]

    assert empty == [], "give the victim a row of it in tests/tenancy.py"


def test_another_tenants_rows_are_not_seen(catalog: Catalog) -> None:
    with catalog.as_tenant(THIEF) as thief:
        tables = [*catalog.owned(), *BY_ANOTHER]
        seen = {table: thief.execute(f"SELECT * FROM {table}".encode()).fetchall() for table in tables}

    assert {table: rows for table, rows in seen.items() if rows} == {}


@pytest.mark.parametrize(
    "change", ["UPDATE {} SET tenant = tenant", "UPDATE {} SET tenant = 'thief'", "DELETE FROM {}"]
)
def test_another_tenants_rows_are_not_changed(catalog: Catalog, change: str) -> None:
    with catalog.as_tenant(THIEF) as thief:
        changed = {table: _rows_of(thief, change.format(table)) for table in catalog.owned()}

    assert {table: rows for table, rows in changed.items() if rows} == {}


def _rows_of(conn: psycopg.Connection[dict[str, object]], statement: str, *values: object) -> int:
    """How many rows a statement changed; none where it was refused."""
    try:
        return conn.execute(statement.encode(), values).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return 0


def test_no_row_is_put_to_another_tenant(catalog: Catalog) -> None:
    copy = "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{0}, %s)"

    with catalog.as_tenant(THIEF) as thief:
        put = {}
        for table in catalog.owned():
            [victims, *_] = catalog.rows(f"SELECT to_jsonb(t) AS row FROM {table} t WHERE tenant = %s", VICTIM)
            put[table] = _rows_of(thief, copy.format(table), Jsonb(victims["row"]))

    assert {table: rows for table, rows in put.items() if rows} == {}


def test_who_has_not_said_for_whom_they_work_sees_and_writes_nothing(catalog: Catalog) -> None:
    with psycopg.connect(catalog.dsn, autocommit=True, options=f"-c role={APP_ROLE}") as nobody:
        seen = {t: nobody.execute(f"SELECT count(*) FROM {t}".encode()).fetchone() for t in catalog.owned()}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            nobody.execute("INSERT INTO tool_record (tenant, system, kind, key, value) VALUES ('', 's', 'k', 'k', '1')")

    assert {table: count for table, count in seen.items() if count != (0,)} == {}


def test_the_application_changes_neither_schema_nor_records_of_audit(catalog: Catalog) -> None:
    forbidden = [
        "CREATE TABLE mine (x int)", "ALTER TABLE thread DISABLE ROW LEVEL SECURITY", "DROP POLICY tenant ON thread",
        "TRUNCATE run", "UPDATE audit_record SET canon = ''", "DELETE FROM audit_head",
        "INSERT INTO audit_record VALUES ('x', 1, '', '', '')", "SELECT keep_to_tenants('thread')",
        "ALTER TABLE audit_record DISABLE TRIGGER ALL", "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1",
    ]  # fmt: skip
    for statement in forbidden:
        with catalog.as_tenant(VICTIM) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())
