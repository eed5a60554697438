"""The roles that the application has in the database, and what they may do there."""

import psycopg
from psycopg import sql

from contracts.errors import ConfigurationError
from engine.store.database import Connection
from engine.store.scope import APP_ROLE, READER_ROLE
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
HINT = (
    f"Somebody who may create roles says once: CREATE ROLE {APP_ROLE} NOLOGIN; CREATE ROLE {READER_ROLE} NOLOGIN; "
    f"GRANT {APP_ROLE}, {READER_ROLE} TO the role of DATABASE_URL."
)


async def ensure_roles(conn: Connection) -> None:
    """Make the roles where they are missing and join them. Raises `ConfigurationError` where that is not allowed."""
    try:
        for role in (APP_ROLE, READER_ROLE):
            facts = await _facts(conn, role)
            if not facts["known"]:
                await _create(conn, role)
            if not facts["ours"]:
                name = sql.Identifier(role)
                await conn.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    except psycopg.errors.InsufficientPrivilege as error:
        said = f"The database lacks a role that we need: {str(error).splitlines()[0]}."
        raise ConfigurationError(said, hint=HINT) from error


async def has_roles(conn: Connection) -> bool:
    """Whether the login may be who the application is."""
    facts = [await _facts(conn, role) for role in (APP_ROLE, READER_ROLE)]
    return all(one["known"] and one["ours"] for one in facts)


async def require_roles(conn: Connection) -> None:
    """Raises `ConfigurationError` unless the login may be who the application is, and that is nobody of power."""
    for role in (APP_ROLE, READER_ROLE):
        facts = await _facts(conn, role)
        if not facts["known"] or not facts["ours"]:
            raise ConfigurationError(f"The login of DATABASE_URL cannot take the role {role!r}.", hint=HINT)
        if facts["powerful"]:
            raise ConfigurationError(
                f"The role {role!r} is not bound by row-level security: tenants could see each other.",
                hint=f"ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS;",
            )


async def bind_application(conn: Connection) -> None:
    """Give the application what it may do with what migrations and libraries have made. Repeatable."""
    await conn.execute(_SQL["bind_application"])


async def _facts(conn: Connection, role: str) -> dict[str, bool]:
    row = await (await conn.execute(_SQL["role_facts"], {"role": role})).fetchone()
    return row or {"known": False, "ours": False, "powerful": False}


async def _create(conn: Connection, role: str) -> None:
    try:
        await conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # made at this moment for another database of the same server
