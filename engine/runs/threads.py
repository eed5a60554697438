"""Threads: the durable state of one case each."""

from typing import Any
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from contracts.errors import AlreadyExists, NotFound
from engine.runs.model import ThreadStatus
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def create_thread(
    conn: Connection, thread_id: UUID, *, tenant: str, metadata: dict[str, Any], or_existing: bool = False
) -> DictRow:
    """Make a thread. A taken id raises `AlreadyExists`, or returns the thread when `or_existing`."""
    row = {"id": thread_id, "tenant": tenant, "metadata": Jsonb(metadata)}
    created = await (await conn.execute(_SQL["insert_thread"], row)).fetchone()
    if created:
        return created
    if or_existing:
        return await get_thread(conn, str(thread_id), tenant=tenant)
    raise AlreadyExists(f"There is a thread {thread_id} already.", hint="Pass if_exists='do_nothing' to get it.")


async def get_thread(conn: Connection, thread_id: str, *, tenant: str, lock: bool = False) -> DictRow:
    """Raises `NotFound`, also for another tenant's thread."""
    query = _SQL["lock_thread" if lock else "thread"]
    row = await (await conn.execute(query, {"id": thread_id, "tenant": tenant})).fetchone()
    if row is None:
        raise NotFound(f"There is no thread {thread_id}.", hint="Create it with POST /threads.")
    return row


async def set_thread_status(conn: Connection, thread_id: str, status: ThreadStatus) -> None:
    """Expects the transaction that changes the thread's newest run."""
    await conn.execute(_SQL["touch_thread"], {"id": thread_id, "status": status})


async def newest_thread(conn: Connection) -> DictRow | None:
    """The thread of any tenant that changed last, of those that have had a run."""
    return await (await conn.execute(_SQL["newest_thread"])).fetchone()
