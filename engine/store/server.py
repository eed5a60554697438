"""What the Postgres server says of itself, and a sample of what is stored in it, for the doctor. Reads only."""

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def server_facts(conn: Connection) -> DictRow:
    """Its version, encoding, clock and connections, and the settings that we rest on; names as in the statement."""
    row = await (await conn.execute(_SQL["server_facts"])).fetchone()
    return row or {}


async def sample_value(conn: Connection, thread_id: str) -> tuple[str, bytes] | None:
    """Type and bytes of one stored value of a thread's checkpoints, None if it has none."""
    row = await (await conn.execute(_SQL["sample_value"], {"thread_id": thread_id})).fetchone()
    return (row["type"], bytes(row["blob"])) if row else None
