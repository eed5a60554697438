"""What limits keep no longer than anybody compares with, and what is given back for calls that nobody waits for."""

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def forget_uses(conn: Connection, *, limit: int) -> int:
    """Delete what was used on days and in cases long past, and calls settled then; at most `limit` of each."""
    return sum([(await conn.execute(_SQL[name], {"limit": limit})).rowcount for name in ("forget_uses", "forget_held")])


async def release_reads(conn: Connection) -> int:
    """Give back the places of reads that were under way when their run ended; returns how many."""
    return len(await (await conn.execute(_SQL["release_reads"])).fetchall())
