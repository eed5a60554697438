"""Where threads stand, read from their newest checkpoints without opening their sealed values."""

from collections.abc import Iterable

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def stages_of_threads(conn: Connection, thread_ids: Iterable[object]) -> dict[str, list[str]]:
    """The stages that come next, by thread; threads that stand nowhere are left out."""
    found: dict[str, list[str]] = {}
    params = {"thread_ids": [str(thread_id) for thread_id in thread_ids]}
    for row in await (await conn.execute(_SQL["stands_at"], params)).fetchall():
        found.setdefault(row["thread_id"], []).append(row["stage"])
    return found
