"""Whether a queue has room for one more case: exactly, whoever else asks at the same moment."""

from datetime import UTC, datetime

from contracts.errors import QueueFull
from engine.queues.model import Load, ReviewQueue
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def require_room(conn: Connection, queue: ReviewQueue, *, tenant: str, now: datetime | None = None) -> None:
    """Raises `QueueFull` where the tenant has as much in the queue as it takes.

    The queue stays held until the caller's transaction ends, so that nobody else takes the place meanwhile; it is
    taken last of all, behind thread, runs and approvals. A queue without limits costs nothing.
    """
    if not queue.limited:
        return
    await hold_queue(conn, queue.name, tenant=tenant)
    # A statement of its own: what it sees begins after the lock was got, and so holds what others did under it.
    load = await load_of(conn, queue, tenant=tenant)
    now = now or datetime.now(UTC)
    cause = queue.full_because(load, now)
    if cause is None:
        return
    waited_s = round(queue.waited_s(load, now), 1)
    why = {
        "capacity": f"{load.depth} cases wait for its reviewers or are on their way; it takes {queue.terms.capacity}",
        "age": f"its oldest request has waited {waited_s:.0f} s of review time; {queue.terms.oldest_s} s is the most",
        "pause": "it is paused",
    }[cause]
    facts = {"queue": queue.name, "cause": cause, "depth": load.depth, "capacity": queue.terms.capacity or None}
    raise QueueFull(
        f"The queue {queue.name!r} takes no new case now: {why}.",
        hint="Try again after the seconds that the header Retry-After names. Answers and decisions are always taken.",
        facts=facts | {"oldest_s": waited_s},
    )


async def load_of(conn: Connection, queue: ReviewQueue, *, tenant: str) -> Load:
    """What a tenant has in a queue now."""
    params = {"tenant": tenant, "queue": queue.name, "workflows": list(queue.workflows)}
    row = await (await conn.execute(_SQL["load"], params)).fetchone()
    return Load.of(row) if row else Load()


async def hold_queue(conn: Connection, queue: str, *, tenant: str) -> None:
    """Hold a tenant's queue until the transaction ends."""
    params = {"tenant": tenant, "queue": queue}
    if await (await conn.execute(_SQL["hold"], params)).fetchone() is None:
        await conn.execute(_SQL["make"], params)
        await conn.execute(_SQL["hold"], params)
