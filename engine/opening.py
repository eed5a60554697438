"""Finds and opens what the configuration names: the database, brought to the present schema, and the registry."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from engine.settings import Settings
from engine.store import embedded
from engine.store.database import Database
from engine.store.migrate import migrate

Notify = Callable[[str], None]
"""Gets each surprise of the start as a sentence."""


def find_dsn(settings: Settings, notify: Notify) -> str:
    """DATABASE_URL, else the embedded Postgres in `settings.home`, started if need be."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return embedded.start(settings.home, notify=notify).dsn


@asynccontextmanager
async def open_database(settings: Settings, notify: Notify) -> AsyncIterator[Database]:
    """The database, brought to the present schema."""
    dsn = find_dsn(settings, notify)
    await migrate(dsn)
    database = Database(dsn, size=settings.pool_size)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def find_registry(settings: Settings) -> Path:
    """The configured langgraph.json, or the one beside this installation when the working folder has none."""
    beside = Path(__file__).parent.parent / settings.registry
    return settings.registry if settings.registry.exists() else beside
