"""Brings the database schema forward: our SQL files, LangGraph's tables and procrastinate's, once, under one lock."""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from contracts.errors import MigrationRefused
from engine.store.database import Connection, connected
from engine.store.roles import bind_application, ensure_roles, has_roles

_FOLDER = Path(__file__).with_name("migrations")
_LOCK = 0x6761746568  # "gateh": one key for every Gatehouse migration
_LIBRARIES = ("langgraph-checkpoint-postgres", "procrastinate")
_STORE = "langgraph-checkpoint-postgres:store"
_RULES = "bound after migration"
_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One SQL file: `NNNN_name.sql`."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(folder: Path = _FOLDER) -> list[Migration]:
    """All migrations in the order in which they are applied."""
    files = [(match, path) for path in sorted(folder.iterdir()) if (match := _NAME.fullmatch(path.name))]
    return [Migration(int(match[1]), match[2], path.read_text()) for match, path in files]


async def migrate(dsn: str, *, wait_s: float = 60) -> list[str]:
    """Apply what is missing and return the names applied. Others wait for the lock up to `wait_s` seconds.

    Where nothing is missing, the login needs no more than the application's role.

    Raises `StoreUnavailable`; `MigrationRefused` when the database is newer than this code, an applied file was changed
    since, or the lock was not free in time.
    """
    async with connected(dsn) as conn:
        if await _is_current(conn):
            return []
        await _take_lock(conn, wait_s)
        try:
            await ensure_roles(conn)
            applied = await _apply_ours(conn)
            applied += await _apply_libraries(conn, dsn)
        finally:
            await conn.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return applied


async def missing_migrations(conn: Connection) -> list[str]:
    """Names of our migrations that the database lacks; all of them where nothing was ever applied."""
    applied = await _applied(conn)
    return [f"{m.number:04}_{m.name}" for m in _known() if m.number not in applied]


async def is_empty(conn: Connection) -> bool:
    """Whether nothing was ever applied."""
    return not await _applied(conn)


async def require_no_surprise(conn: Connection) -> None:
    """Raises `MigrationRefused` where `migrate` would: the database is newer, or an applied file was changed since."""
    _refuse_surprises(await _applied(conn), list(_known()))


async def _applied(conn: Connection) -> dict[int, str]:
    """SHA-256 by number of what was applied."""
    there = await (await conn.execute("SELECT to_regclass('schema_migration') AS t")).fetchone()
    if not there or not there["t"]:
        return {}
    rows = await (await conn.execute("SELECT number, sha256 FROM schema_migration ORDER BY number")).fetchall()
    return {row["number"]: row["sha256"] for row in rows}


@cache
def _known() -> tuple[Migration, ...]:
    return tuple(migrations())


async def _is_current(conn: Connection) -> bool:
    applied = await _applied(conn)
    _refuse_surprises(applied, list(_known()))
    if len(applied) < len(_known()) or not await has_roles(conn):
        return False
    return await _libraries(conn) == _installed()


async def _take_lock(conn: Connection, wait_s: float) -> None:
    # Tried again and again instead of waited for: a waiting lock holds a snapshot, which blocks CREATE INDEX
    # CONCURRENTLY of the process that has the lock.
    for _ in range(max(1, int(wait_s / 0.2))):
        row = await (await conn.execute("SELECT pg_try_advisory_lock(%s) AS taken", (_LOCK,))).fetchone()
        if row and row["taken"]:
            return
        await asyncio.sleep(0.2)
    raise MigrationRefused(
        f"Another process has been migrating this database for {wait_s:.0f} s.",
        hint="Look at it with: SELECT * FROM pg_locks WHERE locktype = 'advisory'.",
    )


async def _apply_ours(conn: Connection) -> list[str]:
    await conn.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration (number integer PRIMARY KEY, name text NOT NULL, "
        "sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    await conn.execute("CREATE TABLE IF NOT EXISTS schema_library (name text PRIMARY KEY, version text NOT NULL)")
    applied, known = await _applied(conn), migrations()
    _refuse_surprises(applied, known)
    missing = known[len(applied) :]
    for migration in missing:
        async with conn.transaction():
            await conn.execute(migration.text, prepare=False)
            await conn.execute(
                "INSERT INTO schema_migration (number, name, sha256) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.sha256),
            )
    return [f"{m.number:04}_{m.name}" for m in missing]


def _refuse_surprises(applied: dict[int, str], known: list[Migration]) -> None:
    by_number = {m.number: m for m in known}
    for number, sha256 in applied.items():
        if number not in by_number:
            raise MigrationRefused(
                f"The database has migration {number:04}, which this version of Gatehouse does not know.",
                hint="Start the newer version again; schemas only go forward.",
            )
        if by_number[number].sha256 != sha256:
            raise MigrationRefused(
                f"Migration {number:04}_{by_number[number].name} was changed after it had been applied.",
                hint="Restore the file and write the change as a new migration.",
            )


async def _apply_libraries(conn: Connection, dsn: str) -> list[str]:
    """Tables of the libraries: looked at when another version of one is installed than the last time."""
    installed = _installed()
    if await _libraries(conn) == installed:
        return []
    # Imported here because they take longer than all else that a command such as `keys list` does.
    import procrastinate  # noqa: PLC0415
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # noqa: PLC0415

    from engine.store.items import ItemStore  # noqa: PLC0415

    await AsyncPostgresSaver(conn).setup()
    await ItemStore(conn).setup()
    found = await (await conn.execute("SELECT to_regclass('procrastinate_jobs') AS t")).fetchone()
    if found and found["t"] is None:
        async with procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn)).open_async() as app:
            await app.schema_manager.apply_schema_async()
    await bind_application(conn)
    for name, number in installed.items():
        await conn.execute(
            "INSERT INTO schema_library VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
            (name, number),
        )
    return [f"{name} {number}" for name, number in installed.items() if name != _RULES]


def _installed() -> dict[str, str]:
    libraries = {name: version(name) for name in _LIBRARIES} | {_STORE: version(_STORE.partition(":")[0])}
    # What a migration has made anew is bound after it.
    return libraries | {_RULES: str(_known()[-1].number)}


async def _libraries(conn: Connection) -> dict[str, str]:
    """The versions that the database was last looked at with."""
    rows = await (await conn.execute("SELECT name, version FROM schema_library")).fetchall()
    return {row["name"]: row["version"] for row in rows}
