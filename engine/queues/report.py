"""How queues stand: what is on its way to them, what they take, and how long they took nothing. Reads only."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import DictRow

from engine.queues.model import Load, ReviewQueue
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

Json = dict[str, Any]


async def queues_of(conn: Connection, queues: Mapping[str, ReviewQueue], *, tenant: str) -> list[Json]:
    """Each queue with its terms and how it stands for a tenant, by name."""
    loads = {row["queue"]: Load.of(row) for row in await _rows(conn, "loads", queues, tenant)}
    throttling = {row["queue"]: row for row in await _rows(conn, "throttling", queues, tenant)}
    pauses = {row["name"]: row for row in await _rows(conn, "pauses", queues, tenant)}
    now = datetime.now(UTC)
    return [
        _terms(queue)
        | _standing(queue, loads.get(name, Load()), now)
        | _throttle(throttling.get(name))
        | {"paused": _pause(pauses.get(name))}
        for name, queue in sorted(queues.items())
    ]


async def throttles_of(conn: Connection, queue: str, *, tenant: str) -> list[DictRow]:
    """The last periods in which it took nothing: `cause`, `since`, `until`, `seconds` and how many were `refused`."""
    return await (await conn.execute(_SQL["throttles"], {"tenant": tenant, "queue": queue})).fetchall()


async def throttled_since(conn: Connection, since: datetime, *, tenant: str) -> dict[str, float]:
    """How many seconds each queue has taken no new work since then, where any; periods are kept for 30 days."""
    rows = await (await conn.execute(_SQL["throttled_since"], {"since": since, "tenant": tenant})).fetchall()
    return {row["queue"]: round(row["seconds"], 1) for row in rows}


async def queue_backlog(conn: Connection, queues: Mapping[str, ReviewQueue]) -> list[Json]:
    """For each queue the `depth` and `oldest_s` of the tenant that has most, `capacity`, and the `throttled_s`,
    `refused` and `throttled` (how many tenants are) of all."""
    rows, now = {name: _nothing(queue) for name, queue in queues.items()}, datetime.now(UTC)
    for found in await _rows(conn, "loads", queues, None):
        row, queue, load = rows[found["queue"]], queues[found["queue"]], Load.of(found)
        row["depth"] = max(row["depth"], load.depth)
        row["oldest_s"] = max(row["oldest_s"], queue.waited_s(load, now))
    for found in await _rows(conn, "throttling", queues, None):
        if found["queue"] not in rows:
            continue
        row = rows[found["queue"]]
        row["throttled_s"] += found["throttled_s"]
        row["refused"] += found["refused"]
        row["throttled"] += found["since"] is not None
    return list(rows.values())


async def _rows(conn: Connection, query: str, queues: Mapping[str, ReviewQueue], tenant: str | None) -> list[DictRow]:
    reviewed = [(workflow, queue.name) for queue in queues.values() for workflow in queue.workflows]
    params = {"tenant": tenant, "workflows": [w for w, _ in reviewed], "queues": [q for _, q in reviewed]}
    return await (await conn.execute(_SQL[query], params)).fetchall()


def _nothing(queue: ReviewQueue) -> Json:
    counts = {"depth": 0, "oldest_s": 0.0, "throttled_s": 0.0, "refused": 0, "throttled": 0}
    return {"queue": queue.name, "capacity": queue.terms.capacity or float("inf"), **counts}


def _terms(queue: ReviewQueue) -> Json:
    terms = queue.terms
    return {
        "name": terms.name,
        "workflows": queue.workflows,
        "target_s": terms.target_s,
        "warn_s": terms.warn_s or terms.target_s * 3 / 4,
        "breach_s": terms.breach_s or terms.target_s,
        "escalation": [asdict(level) for level in terms.escalation],
        "hours": asdict(terms.hours) if terms.hours else None,
        "capacity": terms.capacity or None,
        "oldest_s": terms.oldest_s or None,
    }


def _standing(queue: ReviewQueue, load: Load, now: datetime) -> Json:
    waited_s = round(queue.waited_s(load, now), 1)
    return {"depth": load.depth, "open": load.open, "overdue": load.overdue, "oldest_waited_s": waited_s}


def _throttle(row: DictRow | None) -> Json:
    if row is None:
        return {"throttled": None, "throttled_s": 0.0, "refused": 0}
    going_on = {"cause": row["cause"], "since": row["since"]} if row["since"] else None
    return {"throttled": going_on, "throttled_s": round(row["throttled_s"], 1), "refused": row["refused"]}


def _pause(row: DictRow | None) -> Json | None:
    return {"by": row["paused_by"], "since": row["paused_at"], "reason": row["pause_reason"]} if row else None
