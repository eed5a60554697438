"""The Postgres server and our schema in it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from psycopg.rows import DictRow

from contracts.errors import ConfigurationError, MigrationRefused
from engine.operations.doctor.finding import Finding
from engine.settings import Settings
from engine.store.database import Connection
from engine.store.migrate import missing_migrations, require_no_surprise
from engine.store.roles import require_roles
from engine.store.scope import APP_ROLE
from engine.store.server import server_facts

_OLDEST = 150_000
_SKEW_WARN_S, _SKEW_FAIL_S = 1.0, 30.0
BESIDE_THE_POOL = 6
"""Connections of a process outside of its pool: the wake-ups' own and those that listen."""


async def examine_database(conn: Connection, settings: Settings) -> list[Finding]:
    """What the server is, and whether what we rest on is so."""
    before = datetime.now(UTC)
    facts = await server_facts(conn)
    took = datetime.now(UTC) - before
    skew_s = abs((facts["clock"] - (before + took / 2)).total_seconds())
    found = [_server(facts), *_promises(facts), _clock(skew_s), _connections(facts, settings), await _schema(conn)]
    return [*found, await _roles(conn, made=found[-1].state == "ok")]


def _server(facts: DictRow) -> Finding:
    says = f"PostgreSQL {facts['version']}, {facts['encoding']}; no extension is needed."
    if facts["version_num"] < _OLDEST:
        return Finding("database", "fail", says, "Use PostgreSQL 15 or newer.")
    if facts["encoding"] != "UTF8":
        return Finding("database", "fail", says, "Create the database anew with ENCODING 'UTF8'.")
    if facts["standby"]:
        return Finding(
            "database", "fail", f"{says} It is a standby and takes no writes.", "Point DATABASE_URL at the primary."
        )
    return Finding("database", "ok", says)


def _promises(facts: DictRow) -> Iterator[Finding]:
    if facts["isolation"] != "read committed":
        do = "ALTER DATABASE … SET default_transaction_isolation = 'read committed'; claims rest on it."
        yield Finding("isolation", "fail", f"Transactions are {facts['isolation']!r} by default.", do)
    else:
        yield Finding("isolation", "ok", "Transactions are read committed by default.")
    if facts["fsync"] != "on":
        do = "Set fsync = on: a crash of the machine can destroy the database."
        yield Finding("durability", "fail", "The server does not wait for its disk (fsync is off).", do)
    elif facts["synchronous_commit"] == "off":
        do = "Set synchronous_commit = on: a crash can forget what was acknowledged, effects included."
        yield Finding(
            "durability", "fail", "Commits are acknowledged before they are safe (synchronous_commit is off).", do
        )
    else:
        yield Finding("durability", "ok", "Commits are acknowledged when they are on disk.")


def _clock(skew_s: float) -> Finding:
    says = f"This machine's clock and the server's are {skew_s * 1000:.0f} ms apart."
    if skew_s > _SKEW_WARN_S:
        return Finding("clocks", "fail" if skew_s > _SKEW_FAIL_S else "warn", says, "Run NTP on both.")
    return Finding("clocks", "ok", says)


def _connections(facts: DictRow, settings: Settings) -> Finding:
    each = settings.pool_size + BESIDE_THE_POOL
    fit = facts["connections"] // each
    allowed, taken = facts["connections"], facts["connected"]
    says = f"{allowed} are allowed, {taken} are open; {fit} process(es) with {each} each fit."
    if fit < 1:
        return Finding("connections", "fail", says, "Lower GATEHOUSE_POOL_SIZE or raise max_connections.")
    if taken > allowed * 0.8:
        return Finding(
            "connections", "warn", says, "Lower GATEHOUSE_POOL_SIZE, raise max_connections, or use PgBouncer."
        )
    return Finding("connections", "ok", says)


async def _schema(conn: Connection) -> Finding:
    try:
        await require_no_surprise(conn)
    except MigrationRefused as error:
        return Finding("schema", "fail", error.detail, error.hint)
    if missing := await missing_migrations(conn):
        return Finding(
            "schema",
            "warn",
            f"It lacks {', '.join(missing)}.",
            "Run gatehouse migrate; a server that starts does so, too.",
        )
    return Finding("schema", "ok", "It is this version's.")


async def _roles(conn: Connection, *, made: bool) -> Finding:
    if not made:
        return Finding(
            "roles", "warn", "They are looked at when the schema is this version's.", "Run gatehouse migrate."
        )
    try:
        await require_roles(conn)
    except ConfigurationError as error:
        return Finding("roles", "fail", error.detail, error.hint)
    return Finding("roles", "ok", f"The application is {APP_ROLE}: it owns nothing and sees one tenant at a time.")
