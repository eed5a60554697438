"""What does not move although it should, and what to do about it. As JSON; reads only."""

from datetime import UTC, datetime
from typing import Any

from engine.approvals.backlog import overdue_requests
from engine.gateway.backlog import unknown_effects
from engine.runs.report import suspects
from engine.store.database import Connection
from engine.webhooks.webhooks import search_webhooks

Json = dict[str, Any]

PENDING_S = 30.0
"""A run that could have been claimed for so long has no worker."""
_ATTEMPTS = 3

_RUNS = {
    "orphaned": (
        "Its lease ended {for_s:.0f} s ago; the worker {lease_owner} died and no sweep took the run over.",
        "Start a worker (gatehouse worker); the run goes on from its last saved stage.",
    ),
    "held": (
        "Pinned to the version {version}; a worker that has {refused_by} loaded left it to others.",
        "Start a worker with that version, or move the case: "
        "gatehouse versions migrate {run_id} --from {version} --to {refused_by} --reason WHY",
    ),
    "pending": (
        "Ready for {for_s:.0f} s, and no worker took it.",
        "Start a worker (gatehouse worker), or look at the log of those that run: all may be busy or without database.",
    ),
    "attempts": (
        "Tried {attempts} times; after five it is given up as failed_safe.",
        "Find 'run_id' {run_id} in the worker's log: something kills the worker that carries it.",
    ),
}


async def find_stuck(conn: Connection, *, tenant: str, pending_s: float = PENDING_S) -> list[Json]:
    """Runs without a worker or with many attempts, effects of unknown outcome, overdue requests, dead webhooks.

    Each with `kind`, `run_id`, `thread_id`, `for_s`, what it `says` and what to `do`.
    """
    found = [
        _finding(row["kind"], row, *_RUNS[row["kind"]])
        for row in await suspects(conn, tenant=tenant, pending_s=pending_s, attempts=_ATTEMPTS)
    ]
    for row in await unknown_effects(conn, tenant=tenant):
        says = "Nobody knows whether {tool} took effect at the stage {stage}: {detail}"
        do = "Look it up in the outside system and say what happened: gatehouse effects show {call_key}"
        found.append(_finding("unknown_effect", row, says, do) | {"call_key": row["call_key"]})
    for row in await overdue_requests(conn, tenant=tenant):
        says = "Waits for {role} in the queue {queue}, {minutes:.0f} min over its target: {summary}"
        do = "Somebody with the role {role} decides: gatehouse approvals show {id}"
        row["minutes"] = row["for_s"] / 60
        found.append(_finding("overdue_approval", row, says, do) | {"request_id": row["id"]})
    for webhook in await search_webhooks(conn, tenant=tenant, status="dead", limit=500):
        row = vars(webhook) | {"target": webhook.target, "for_s": _since(webhook.ended_at)}
        says = "A webhook to {target} was given up after {attempts} attempts; the last one came to {last_error!r}."
        do = "Mend what receives it, then send it again: gatehouse webhooks retry {id}"
        found.append(_finding("dead_webhook", row, says, do) | {"webhook_id": webhook.id})
    return found


def _since(then: datetime | None) -> float:
    return (datetime.now(UTC) - then).total_seconds() if then else 0.0


def _finding(kind: str, row: Json, says: str, do: str) -> Json:
    named = {name: row[name] for name in ("run_id", "thread_id", "for_s")}
    return {"kind": kind, **named, "says": says.format(**row), "do": do.format(**row)}
