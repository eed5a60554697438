"""Circuit breakers: a system that fails again and again is left alone for a while, then tried by one call."""

from dataclasses import dataclass

from contracts.approval import JsonObject
from contracts.event import Event
from engine.audit import audit
from engine.limits.alarms import Alarm, sound
from engine.store.database import Connection
from engine.store.sql import load_queries
from engine.traces.metrics import BREAKER_CHANGES

_SQL = load_queries(__file__)
PROBE_S = 60.0
"""After which a probe that nobody heard of any more counts as lost."""

FAILURES = frozenset(
    ("tool_unavailable", "tool_outcome_unknown", "tool_reply_invalid", "model_unavailable", "model_unreadable")
)
"""Codes that say something of the system. What it refuses for a reason of its business does not."""


@dataclass(frozen=True)
class Terms:
    """When a breaker opens, and for how long."""

    failures: int = 5
    """One after another."""
    window_s: float = 60
    """Within which they come."""
    open_s: float = 30


async def heard(conn: Connection, name: str, *, tenant: str, failed: bool, terms: Terms) -> None:
    """Take in how a call ended; a change of the breaker is recorded.

    Comes last in the caller's transaction. Of a call that went well it need not be told while nothing has failed.
    """
    params = {"tenant": tenant, "name": name}
    if not failed:
        row = await (await conn.execute(_SQL["well"], params)).fetchone()
        if row and row["state"] != "closed":
            await _record(conn, tenant, name, Event.BREAKER_CLOSED, {})
        return
    row = await (await conn.execute(_SQL["failed"], params | vars(terms))).fetchone()
    if row and row["opened_now"]:
        said: JsonObject = {"failures": row["failures"], "open_s": terms.open_s}
        await _record(conn, tenant, name, Event.BREAKER_OPENED, said)
        summary = f"{name} is left alone after {row['failures']} failures one after another"
        await sound(conn, Alarm("breaker", name, summary, said), tenant=tenant)


async def breakers_of(conn: Connection, *, tenant: str) -> list[JsonObject]:
    """What has failed lately and has not come through since: `name`, `state`, `failures` and times."""
    return await (await conn.execute(_SQL["breakers"], {"tenant": tenant})).fetchall()


async def _record(conn: Connection, tenant: str, name: str, event: Event, more: JsonObject) -> None:
    BREAKER_CHANGES.labels(name, event.value.rpartition(".")[2]).inc()
    data: JsonObject = {"tenant": tenant, "name": name, **more}
    await audit.append_to(conn, f"breaker:{tenant}:{name}", "system", event, data)
