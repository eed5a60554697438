"""Forgets and copies checkpoints of whole threads and of single runs. They are written by the checkpointer."""

from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.journal import Page
from engine.store.seal import Plain
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def delete_of_thread(conn: Connection, thread_id: str) -> None:
    """Forget a thread's state with its history."""
    for statement in ("delete_writes", "delete_blobs", "delete_checkpoints"):
        await conn.execute(_SQL[statement], {"thread_id": thread_id})


async def delete_of_run(conn: Connection, thread_id: str, run_id: str) -> None:
    """Forget what one run made of its thread's state, which is then what it was before."""
    for statement in ("delete_writes_of_run", "delete_checkpoints_of_run"):
        await conn.execute(_SQL[statement], {"thread_id": thread_id, "run_id": run_id})


async def copy_thread(
    conn: Connection, old_id: str, new_id: str, old: SerializerProtocol, new: SerializerProtocol
) -> None:
    """Copy every checkpoint of a thread to another one, sealed anew: a seal is bound to its thread."""
    ids = {"old": old_id, "new": new_id}
    page = Page()
    for row in await (await conn.execute(_SQL["blobs"], ids)).fetchall():
        sealed = _resealed(row, old, new)
        page.blobs.append((new_id, row["checkpoint_ns"], row["channel"], row["version"], *sealed))
    for row in await (await conn.execute(_SQL["writes"], ids)).fetchall():
        key = (new_id, row["checkpoint_ns"], row["checkpoint_id"], row["task_id"], row["task_path"], row["idx"])
        page.writes.append((*key, row["channel"], *_resealed(row, old, new)))
    await conn.execute(_SQL["copy_checkpoints"], ids)
    await page.write(conn)


def _resealed(row: DictRow, old: SerializerProtocol, new: SerializerProtocol) -> tuple[str, bytes]:
    value = old.loads_typed((row["type"], bytes(row["blob"])))
    plain = value is None or isinstance(value, (str, int, float, bool))
    return new.dumps_typed(Plain(value) if plain else value)
