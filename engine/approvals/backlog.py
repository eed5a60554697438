"""How much waits for people: open requests and questions by queue. For metrics; reads only."""

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def approval_backlog(conn: Connection) -> list[DictRow]:
    """Rows of `queue`, how many are `open` and `overdue`, and how long the oldest has waited (`oldest_s`).

    Questions to requesters stand under the queue `questions`.
    """
    return await (await conn.execute(_SQL["backlog"])).fetchall()
