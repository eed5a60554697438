"""How much work stands: unfinished runs by workflow and by what they wait for. For metrics; reads only."""

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def run_backlog(conn: Connection) -> list[DictRow]:
    """Rows of `workflow`, `standing`, how many `runs`, and for how long (`oldest_s`) the oldest of them has stood so.

    `standing`: running, orphaned (its lease is over), ready (a worker may take it), held (the workers that
    looked at it have another version loaded), blocked (an earlier run of its thread goes first), delayed (its time has
    not come).
    """
    return await (await conn.execute(_SQL["backlog"])).fetchall()
