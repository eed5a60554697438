"""When queues took no new work, why, and how much they refused: periods that begin by themselves and end so."""

from collections.abc import Mapping
from datetime import datetime
from math import ceil

from contracts.errors import QueueFull
from engine.approvals.backlog import decided_lately
from engine.queues.model import Cause, ReviewQueue
from engine.queues.room import hold_queue, load_of
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_LATELY_S = 300
_SHORTEST_S, _LONGEST_S = 1, 300
_UNKNOWN_S = 60
"""Where nobody has decided anything lately, and during a pause, which no decision ends."""


async def note_refused(conn: Connection, queue: ReviewQueue, full: QueueFull, *, tenant: str) -> None:
    """Count a case that was refused, and add to the refusal after how many seconds it is worth trying again.

    Expects a transaction of its own: that of the refused case is gone.
    """
    await note_throttled(conn, queue.name, full, tenant=tenant, refused=1)
    paused = full.facts["cause"] == "pause"
    decided = 0 if paused else await decided_lately(conn, queue.name, tenant=tenant, seconds=_LATELY_S)
    depth, capacity = int(str(full.facts.get("depth") or 0)), queue.terms.capacity
    too_many = max(1, depth - capacity + 1) if capacity else 1
    wait_s = too_many * _LATELY_S / decided if decided else _UNKNOWN_S
    full.facts["retry_after_s"] = min(max(ceil(wait_s), _SHORTEST_S), _LONGEST_S)


async def note_throttled(conn: Connection, queue: str, full: QueueFull, *, tenant: str, refused: int = 0) -> None:
    """Keep that a queue takes no new work from now on, if that is not known."""
    # Two who begin or go on with periods of one queue at the same moment would both want to be the one that goes on.
    await hold_queue(conn, queue, tenant=tenant)
    params = {"tenant": tenant, "queue": queue, "cause": full.facts["cause"], "refused": refused}
    if await (await conn.execute(_SQL["throttled"], params)).fetchone() is None:
        await conn.execute(_SQL["throttle"], params)


async def begin_pause(conn: Connection, queue: str, *, tenant: str) -> None:
    """From now on a pause is why it takes nothing, whatever was before."""
    cause: Cause = "pause"
    await end_throttle(conn, queue, tenant=tenant)
    await conn.execute(_SQL["throttle"], {"tenant": tenant, "queue": queue, "cause": cause, "refused": 0})


async def end_throttle(conn: Connection, queue: str, *, tenant: str) -> None:
    """End the period that goes on, if one does."""
    await conn.execute(_SQL["end_throttle"], {"tenant": tenant, "queue": queue})


async def end_where_room(conn: Connection, queues: Mapping[str, ReviewQueue], *, now: datetime) -> None:
    """End the periods of those of `queues` that take new work again; those of others are left to who knows them."""
    for row in await (await conn.execute(_SQL["going_on"])).fetchall():
        queue = queues.get(row["queue"])
        if queue is None or row["paused"]:
            continue
        load = await load_of(conn, queue, tenant=row["tenant"])
        if queue.full_because(load, now) is None:
            await end_throttle(conn, queue.name, tenant=row["tenant"])
