"""Connections that were cut off do not fail one caller after another, and waiting for one loses no cancellation."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from contracts.errors import StoreUnavailable
from engine.store.database import Database, patiently
from tests.conftest import fresh_database
from tests.engines import fresh_bench

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


async def loses_a_cancellation(database: Database, pauses: int) -> bool:
    """Cancel one who waits for a connection so many turns of the loop after the connection was given back."""
    held = [await database.pool.getconn(), await database.pool.getconn()]
    waiter = asyncio.create_task(database.fetch("SELECT pg_sleep(0.01)"))
    await asyncio.sleep(0.01)
    giving_back = asyncio.create_task(database.pool.putconn(held[0]))
    for _ in range(pauses):
        await asyncio.sleep(0)
    asked = waiter.cancel()
    (ended,) = await asyncio.gather(waiter, return_exceptions=True)
    await giving_back
    await database.pool.putconn(held[1])
    return asked and not isinstance(ended, asyncio.CancelledError)


async def test_who_waits_for_a_connection_is_cancelled_at_any_moment(postgres: str) -> None:
    with fresh_database(postgres) as dsn:
        database = Database(dsn, size=2)
        await database.open()

        lost = [pauses for pauses in range(25) if await loses_a_cancellation(database, pauses)]
        await hold_together(database, 2)  # and no connection is lost by it
        await database.close()

    assert lost == []


async def test_who_reads_a_state_over_a_dead_connection_is_told_to_come_again(postgres: str, folder: Path) -> None:
    async with fresh_bench(postgres, folder) as bench:
        run, _ = await bench.parked_case()
        thread = (await bench.rows("SELECT * FROM thread WHERE id = %s", run.thread_id))[0]
        states, database = bench.engine.states, bench.engine.database
        at = str((await states.latest(thread)).config["configurable"]["checkpoint_id"])  # type: ignore[union-attr]

        async def history() -> None:
            async for _ in states.history(thread, limit=3):
                pass

        for read in (lambda: states.latest(thread), lambda: states.at(thread, at), history):
            await hold_together(database, 4)
            with psycopg.connect(database.dsn, autocommit=True) as conn:
                conn.execute(CUT)
            with pytest.raises(StoreUnavailable):
                await read()
            await patiently(read)
