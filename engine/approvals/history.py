"""What people have decided, as far back as wanted: for whoever learns from it. Reads only."""

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def decided_requests(conn: Connection, *, tenant: str, workflow: str, last: int) -> list[DictRow]:
    """The last decisions by people for each tool and asking rule, with how long was looked (`looked_s`, or null)."""
    params = {"tenant": tenant, "workflow": workflow, "last": last}
    return await (await conn.execute(_SQL["history"], params)).fetchall()


async def judged_requests(conn: Connection, *, tenant: str, workflow: str, last: int) -> list[DictRow]:
    """The last actions that policy judged, with all that it knew of them, whoever decided; the newest first."""
    params = {"tenant": tenant, "workflow": workflow, "last": last}
    return await (await conn.execute(_SQL["judged"], params)).fetchall()


async def cases_since(conn: Connection, *, tenant: str, workflow: str, ids: list[str]) -> int:
    """How many cases have proposed anything since the oldest of these requests."""
    params = {"tenant": tenant, "workflow": workflow, "ids": ids}
    row = await (await conn.execute(_SQL["cases_since"], params)).fetchone()
    return int(row["cases"]) if row else 0
