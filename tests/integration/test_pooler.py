"""A pooler by the transaction: everything goes through it but what needs a session of its own."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from contracts.errors import ConfigurationError
from engine.opening import open_database
from tests.conftest import Site, fresh_database
from tests.engines import bench_on

ROLE = "pooled"
WHO = (
    "SELECT usename, query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'gatehouse'"
)
GUARDED = f"ALTER ROLE {ROLE} SET idle_in_transaction_session_timeout = '5s'"


@pytest.fixture
def site(postgres: str, folder: Path) -> Iterator[Site]:
    with fresh_database(postgres) as dsn, psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD 'pooled'")
        yield Site(dsn, folder / "pooled", folder / "unused")
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (ROLE,))
        conn.execute(f"DROP ROLE {ROLE}")


def through(site: Site) -> str:
    """The same database under the name that only the pool uses."""
    parts = urlsplit(site.dsn)
    return urlunsplit(parts._replace(netloc=f"{ROLE}:pooled@{parts.netloc.rpartition('@')[2]}"))


async def test_a_case_is_carried_through_it_and_only_listeners_go_around_it(site: Site) -> None:
    with psycopg.connect(site.dsn, autocommit=True) as conn:
        conn.execute(GUARDED)
        async with bench_on(site, pool_url=through(site)) as bench:
            run, request = await bench.parked_case()
            leg = await bench.approve(run)
            await bench.go_on()

            around = [query for who, query in conn.execute(WHO).fetchall() if who != ROLE]
            prepared = await bench.engine.database.fetch("SELECT 1 FROM pg_prepared_statements")
            assert (await bench.again(leg)).outcome == "completed"

    assert request.status == "pending"
    assert {query.split()[0] for query in around if query} == {"LISTEN"}
    assert prepared == []


async def test_a_pooler_without_the_guard_is_refused(site: Site) -> None:
    with pytest.raises(ConfigurationError, match="for ever"):
        async with open_database(site.settings(pool_url=through(site)), lambda _: None):
            pass
