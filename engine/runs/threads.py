"""Threads: the durable state of one case each. Checkpoints are not in here."""

from dataclasses import dataclass
from typing import Any, Literal

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import JsonValue

from contracts.errors import AlreadyExists, NotFound
from contracts.event import Event
from engine.audit import audit
from engine.audit.audit import Subject
from engine.runs.model import NewThread, ThreadStatus
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

SortBy = Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"]


@dataclass(frozen=True)
class ThreadFilter:
    """Which threads are looked for; None and empty mean any."""

    tenant: str
    metadata: dict[str, Any] | None = None
    status: ThreadStatus | None = None
    ids: tuple[str, ...] = ()

    @property
    def params(self) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "metadata": Jsonb(self.metadata) if self.metadata else None,
            "status": self.status,
            "ids": list(self.ids) or None,
        }


async def create_thread(conn: Connection, new: NewThread, *, or_existing: bool = False) -> DictRow:
    """Make a thread. A taken id raises `AlreadyExists`, or returns the thread when `or_existing`."""
    if made := await make_thread(conn, new):
        return made
    if or_existing:
        return await get_thread(conn, new.id, tenant=new.tenant)
    raise AlreadyExists(f"There is a thread {new.id} already.", hint="Pass if_exists='do_nothing' to get it.")


async def make_thread(conn: Connection, new: NewThread, *, by: str = "") -> DictRow | None:
    """Make a thread; None when its id is taken. `by` whom, unless what it is made for is recorded itself."""
    row = vars(new) | {"metadata": Jsonb(new.metadata)}
    made = await (await conn.execute(_SQL["insert_thread"], row)).fetchone()
    if made and by:
        said = _said(new.metadata, new.ttl_minutes, new.on_expiry)
        await audit.append(conn, Subject(new.id, "", by), Event.THREAD_CREATED, said)
    return made


async def get_thread(conn: Connection, thread_id: str, *, tenant: str, lock: bool = False) -> DictRow:
    """Raises `NotFound`, also for another tenant's thread and a deleted one."""
    query = _SQL["lock_thread" if lock else "thread"]
    row = await (await conn.execute(query, {"id": thread_id, "tenant": tenant})).fetchone()
    if row is None:
        raise NotFound(f"There is no thread {thread_id}.", hint="Create it with POST /threads.")
    return row


async def take_thread(conn: Connection, thread_id: str, *, tenant: str) -> DictRow | None:
    """One thread, held until the transaction ends; None where somebody else holds it, or it is gone."""
    params = {"id": thread_id, "tenant": tenant}
    return await (await conn.execute(_SQL["take_thread"], params)).fetchone()


async def search_threads(
    conn: Connection,
    where: ThreadFilter,
    *,
    sort_by: SortBy = "created_at",
    descending: bool = True,
    limit: int = 10,
    offset: int = 0,
) -> list[DictRow]:
    """Threads that fit, without those made for a single run."""
    params = where.params | {"sort": ("-" if descending else "+") + sort_by, "limit": limit, "offset": offset}
    return await (await conn.execute(_SQL["search_threads"], params)).fetchall()


async def count_threads(conn: Connection, where: ThreadFilter) -> int:
    """How many threads `search_threads` would find without a limit."""
    row = await (await conn.execute(_SQL["count_threads"], where.params)).fetchone()
    return int(row["threads"]) if row else 0


async def update_thread(
    conn: Connection,
    thread_id: str,
    metadata: dict[str, Any],
    ttl_minutes: float | None,
    on_expiry: str | None,
    *,
    by: str,
) -> DictRow:
    """Merge metadata and set when the thread ends, if that is given; expects the caller's `get_thread` before it."""
    params = {"id": thread_id, "metadata": Jsonb(metadata), "ttl_minutes": ttl_minutes, "on_expiry": on_expiry}
    row = await (await conn.execute(_SQL["update_thread"], params)).fetchone()
    if row is None:
        raise NotFound(f"There is no thread {thread_id}.")
    said = _said(metadata, ttl_minutes, on_expiry)
    await audit.append(conn, Subject(thread_id, "", by), Event.THREAD_CHANGED, said)
    return row


async def mark_edited(conn: Connection, thread_id: str, *, by: str, workflow: str) -> None:
    """From now on the thread's runs do not act: its state is not only what its own stages made of it."""
    await conn.execute(_SQL["mark_edited"], {"id": thread_id, "by": by, "workflow": workflow})


async def mark_deleted(conn: Connection, thread_id: str) -> None:
    """Hide the thread and its runs and drop what callers sent; ledger and audit trail stay."""
    await conn.execute(_SQL["empty_runs"], {"thread_id": thread_id})
    await conn.execute(_SQL["delete_events"], {"thread_id": thread_id})
    await conn.execute(_SQL["mark_deleted"], {"id": thread_id})


async def set_thread_status(conn: Connection, thread_id: str, status: ThreadStatus) -> None:
    """Expects the transaction that changes the thread's newest run."""
    await conn.execute(_SQL["touch_thread"], {"id": thread_id, "status": status})


async def newest_thread(conn: Connection) -> DictRow | None:
    """The thread of any tenant that changed last, of those that have had a run."""
    return await (await conn.execute(_SQL["newest_thread"])).fetchone()


def _said(metadata: dict[str, Any], ttl_minutes: float | None, on_expiry: str | None) -> dict[str, JsonValue]:
    return {"metadata": audit.digest_of(metadata), "ttl_minutes": ttl_minutes, "on_expiry": on_expiry}


async def tenants_of_threads(conn: Connection) -> dict[str, str]:
    """The tenant of every thread by its id, for whoever reads what is sealed."""
    return {str(row["id"]): row["tenant"] for row in await (await conn.execute(_SQL["tenants_of_threads"])).fetchall()}
