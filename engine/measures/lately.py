"""What has gone wrong or cost much of late, over every tenant's workflows: for whoever raises alarms. Reads only."""

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def failing_lately(conn: Connection) -> list[DictRow]:
    """`ended` and `failed` of each workflow in the last hour; a workflow of which nothing has ended is not there."""
    return await (await conn.execute(_SQL["failing"])).fetchall()


async def dear_lately(conn: Connection) -> list[DictRow]:
    """`cost` by `currency`, in millionths, of each workflow's cases that asked a model in the last day."""
    return await (await conn.execute(_SQL["dear"])).fetchall()
