"""Effects that are not settled: under way, or of unknown outcome. For metrics; reads only."""

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def effect_backlog(conn: Connection) -> list[DictRow]:
    """Rows of `tool`, `state` (started or unknown), how many `effects`, and the age of the oldest (`oldest_s`)."""
    return await (await conn.execute(_SQL["backlog"])).fetchall()
