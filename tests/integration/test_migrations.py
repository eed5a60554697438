"""Migrations run once, whoever starts at the same moment, and only forward."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from contracts.errors import MigrationRefused
from engine.store.migrate import migrate, migrations
from tests.conftest import fresh_database


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as dsn:
        yield dsn


async def test_five_replicas_that_start_at_once_migrate_once(empty: str) -> None:
    applied = await asyncio.gather(*(migrate(empty) for _ in range(5)))

    assert sorted(len(names) for names in applied)[:4] == [0, 0, 0, 0]
    assert sum(len(names) for names in applied) == len(migrations()) + 3
    with psycopg.connect(empty) as conn:
        numbers = [row[0] for row in conn.execute("SELECT number FROM schema_migration ORDER BY number")]
    assert numbers == [m.number for m in migrations()]


async def test_a_database_of_a_newer_version_is_left_alone(empty: str) -> None:
    await migrate(empty)
    with psycopg.connect(empty) as conn:
        conn.execute("INSERT INTO schema_migration (number, name, sha256) VALUES (9999, 'later', '')")

    with pytest.raises(MigrationRefused, match="9999"):
        await migrate(empty)


async def test_an_applied_migration_may_not_change(empty: str) -> None:
    await migrate(empty)
    with psycopg.connect(empty) as conn:
        conn.execute("UPDATE schema_migration SET sha256 = 'other' WHERE number = 1")

    with pytest.raises(MigrationRefused, match="was changed after"):
        await migrate(empty)


async def test_a_lock_that_is_never_freed_is_named(empty: str) -> None:
    async with await psycopg.AsyncConnection.connect(empty, autocommit=True) as conn:
        await conn.execute("SELECT pg_advisory_lock(%s)", (0x6761746568,))

        with pytest.raises(MigrationRefused, match="Another process"):
            await migrate(empty, wait_s=0.5)
