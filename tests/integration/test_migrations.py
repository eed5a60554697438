"""Migrations run once, whoever starts at the same moment, and only forward."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from contracts.errors import MigrationRefused
from engine.store.migrate import migrate, migrations
from tests.conftest import ROOT, empty_database


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    with empty_database(postgres) as dsn:
        yield dsn


async def test_five_replicas_that_start_at_once_migrate_once(empty: str) -> None:
    applied = await asyncio.gather(*(migrate(empty) for _ in range(5)))

    assert sorted(len(names) for names in applied)[:4] == [0, 0, 0, 0]
    assert sum(len(names) for names in applied) == len(migrations()) + 3
    with psycopg.connect(empty) as conn:
        numbers = [row[0] for row in conn.execute("SELECT number FROM schema_migration ORDER BY number")]
    assert numbers == [m.number for m in migrations()]


def test_five_processes_that_start_at_once_migrate_once(empty: str) -> None:
    code = "import asyncio, sys; from engine.store.migrate import migrate; print(*asyncio.run(migrate(sys.argv[1])))"
    started = [
        subprocess.Popen([sys.executable, "-c", code, empty], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]

    applied = [process.communicate(timeout=120)[0].split() for process in started]

    assert [process.returncode for process in started] == [0] * 5
    assert sorted(bool(names) for names in applied) == [False] * 4 + [True]


async def test_who_migrates_may_die_and_another_goes_on(empty: str) -> None:
    async with await psycopg.AsyncConnection.connect(empty, autocommit=True) as dying:
        await dying.execute("SELECT pg_advisory_lock(%s)", (0x6761746568,))
        waiting = [asyncio.create_task(migrate(empty)) for _ in range(3)]
        await asyncio.sleep(0.5)
        still = [task.done() for task in waiting]
        with psycopg.connect(empty, autocommit=True) as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", (dying.info.backend_pid,))

        applied = await asyncio.gather(*waiting)

    assert still == [False] * 3
    assert sorted(bool(names) for names in applied) == [False, False, True]


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


async def test_a_login_that_owns_nothing_starts_where_nothing_is_missing(empty: str) -> None:
    name = f"server_{uuid.uuid4().hex[:8]}"
    await migrate(empty)
    with psycopg.connect(empty, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pw' IN ROLE gatehouse_app, gatehouse_reader")  # type: ignore[arg-type]  # text of a test
    dsn = psycopg.conninfo.make_conninfo(empty, user=name, password="pw")
    try:
        assert await migrate(dsn) == []
        with psycopg.connect(dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("CREATE TABLE mine ()")
    finally:
        with psycopg.connect(empty, autocommit=True) as conn:
            conn.execute(f"DROP ROLE {name}")  # type: ignore[arg-type]  # text of a test
