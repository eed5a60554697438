"""Effects that are not settled: under way, or of unknown outcome; counted and listed. Reads only."""

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def effect_backlog(conn: Connection) -> list[DictRow]:
    """Rows of `tool`, `state` (started or unknown), how many `effects`, and the age of the oldest (`oldest_s`)."""
    return await (await conn.execute(_SQL["backlog"])).fetchall()


async def unknown_effects(conn: Connection, *, tenant: str) -> list[DictRow]:
    """Effects of which nobody knows whether they happened, oldest first."""
    return await (await conn.execute(_SQL["unknown"], {"tenant": tenant})).fetchall()


async def waiting_effects_of_thread(conn: Connection, thread_id: str) -> list[DictRow]:
    """Effects of unknown outcome at which a thread waits for somebody who finds out, in the form of other waits."""
    return await (await conn.execute(_SQL["waiting_effects"], {"thread_id": thread_id})).fetchall()
