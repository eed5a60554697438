"""Alarms of workflows that behave as they never did: refused again and again, or calling what they never called."""

import logging
from dataclasses import dataclass
from typing import Literal

from contracts.approval import JsonObject
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.limits.switches import switch_off
from engine.notifications.alarms import AlarmNotice, tell_alarm
from engine.store.database import Connection
from engine.store.sql import load_queries
from engine.traces.metrics import ALARMS

_SQL = load_queries(__file__)
_LOG = logging.getLogger("gatehouse.limits")
_TIMES_USUAL = 3

Kind = Literal["refusals", "novelty", "quarantine", "breaker", "errors", "cost", "drift"]
_FIGURES: dict[Kind, str] = {"breaker": "/breakers", "errors": "/stats/outcomes", "cost": "/stats/costs"}
"""Where somebody finds out more; the others' are in the audit trail."""


_SUMMARIES: dict[Kind, str] = {
    "refusals": "its calls are refused far more often than is usual",
    "novelty": "a stage calls a tool that it never called",
    "quarantine": "a tool says something else of itself than when it was pinned",
}


@dataclass(frozen=True)
class AlarmTerms:
    """When an alarm is raised, and what it does."""

    refusals: int = 20
    """Refused calls of a workflow in ten minutes, where that is three times as many as usual; 0: never."""
    quarantine: bool = False
    """Whether the workflow is switched off with it, until two people switch it on again."""


async def refused(conn: Connection, workflow: str, terms: AlarmTerms, *, tenant: str) -> None:
    """Count a refused call; the one that makes it conspicuous raises the alarm. Comes last in a transaction."""
    params = {"tenant": tenant, "workflow": workflow}
    (row,) = await (await conn.execute(_SQL["refused"], params)).fetchall()
    bound = max(terms.refusals, int(_TIMES_USUAL * row["usual"]) + 1)
    if terms.refusals and row["refused"] == bound:
        await conn.execute(_SQL["forget_refusals"], {"tenant": tenant})
        said: JsonObject = {"refused": row["refused"], "usual": round(row["usual"], 2)}
        await raise_alarm(conn, "refusals", workflow, said, terms, tenant=tenant)


@dataclass(frozen=True)
class Alarm:
    """Something that goes on and wants somebody's eye. `said` has names and numbers, nothing of a case."""

    kind: Kind
    name: str
    """Of the workflow, or of what it is about."""
    summary: str
    said: JsonObject


async def sound(conn: Connection, alarm: Alarm, *, tenant: str) -> bool:
    """Raise an alarm unless the same one was raised within the last hour; whether it was. It switches nothing off."""
    params = {"tenant": tenant, "kind": alarm.kind, "name": alarm.name}
    if not await (await conn.execute(_SQL["sound"], params)).fetchone():
        return False
    said = {"summary": alarm.summary, **alarm.said}
    await raise_alarm(conn, alarm.kind, alarm.name, said, AlarmTerms(), tenant=tenant)
    return True


async def raise_alarm(  # what is told, of whom, and what becomes of it
    conn: Connection, kind: Kind, workflow: str, said: JsonObject, terms: AlarmTerms, *, tenant: str
) -> None:
    """Record an alarm, tell the routes that want it and, where that is wanted, switch the workflow off."""
    ALARMS.labels(kind, workflow).inc()
    _LOG.warning("alarm: %s of %s", kind, workflow, extra={"facts": {"tenant": tenant, **said}})
    data: JsonObject = {"kind": kind, "tenant": tenant, "workflow": workflow, "quarantined": terms.quarantine, **said}
    if terms.quarantine:
        policy = Principal("policy", frozenset({"operator"}), frozenset(), tenant)
        await switch_off(conn, "workflow", workflow, policy, reason=f"An alarm was raised: {kind}.")
    await audit.append_to(conn, f"switches:{tenant}", "policy", Event.ALARM_RAISED, data)
    summary = str(said.get("summary") or f"{workflow}: {_SUMMARIES.get(kind, kind)}")
    await tell_alarm(conn, AlarmNotice(kind, tenant, summary, _FIGURES.get(kind, "/switches"), data))
