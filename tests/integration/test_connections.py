"""Connections that were cut off, all at once as they mostly are, do not fail one caller after another."""

import asyncio

import psycopg
import pytest

from contracts.errors import StoreUnavailable
from engine.store.database import Database
from tests.conftest import fresh_database

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def hold_together(database: Database, number: int) -> None:
    """So many connections in use at one time, so that the pool has them all."""
    together = asyncio.Barrier(number)

    async def hold() -> None:
        async with database.transaction():
            await together.wait()

    await asyncio.gather(*(hold() for _ in range(number)))


async def fails(database: Database) -> bool:
    try:
        await database.fetch("SELECT 1")
    except StoreUnavailable:
        return True
    return False


@pytest.mark.parametrize("times", [1, 2])
async def test_whoever_meets_a_dead_connection_spares_the_next(postgres: str, times: int) -> None:
    with fresh_database(postgres) as dsn:
        database = Database(dsn, size=6)
        await database.open()

        failures = []
        for _ in range(times):
            await hold_together(database, 6)
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute(CUT)
            failures.append([await fails(database) for _ in range(6)])
        await database.close()

    assert all(met[0] for met in failures), "the first one meets a dead connection, or nothing is shown"
    assert all(sum(met) <= 2 for met in failures)
