"""What waits for people: open requests and questions, counted by queue and listed by thread. Reads only."""

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def approval_backlog(conn: Connection) -> list[DictRow]:
    """Rows of `queue`, how many are `open` and `overdue`, and how long the oldest has waited (`oldest_s`).

    Questions to requesters stand under the queue `questions`.
    """
    return await (await conn.execute(_SQL["backlog"])).fetchall()


async def waiting_of_thread(conn: Connection, thread_id: str) -> list[DictRow]:
    """Open requests and questions of a thread, oldest first, with `kind`, `id`, `interrupt_id` and what it `asks`."""
    return await (await conn.execute(_SQL["waiting_of_thread"], {"thread_id": thread_id})).fetchall()


async def overdue_requests(conn: Connection, *, tenant: str) -> list[DictRow]:
    """Open requests whose target time has passed, the longest overdue first."""
    return await (await conn.execute(_SQL["overdue"], {"tenant": tenant})).fetchall()


async def decided_lately(conn: Connection, queue: str, *, tenant: str, seconds: float) -> int:
    """How many requests of a tenant's queue ended within the last `seconds`."""
    params = {"tenant": tenant, "queue": queue, "seconds": seconds}
    row = await (await conn.execute(_SQL["decided_lately"], params)).fetchone()
    return int(row["decided"]) if row else 0
