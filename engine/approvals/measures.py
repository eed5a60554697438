"""How review goes: by queue and by person, since some time. Reads only; what each figure means stands in the docs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

from psycopg.rows import DictRow

from contracts.policy import Hours
from engine.approvals.hours import passed
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

Json = dict[str, Any]
PERSONAL = ("approve", "edit", "reject", "respond")
_BY_SYSTEM = ("expired", "cancelled", "superseded")
WINDOW = timedelta(days=30)


@dataclass(frozen=True)
class Window:
    """Which reviews are measured; None means any."""

    tenant: str
    since: datetime
    queue: str | None = None
    workflow: str | None = None
    by: str | None = None
    """Whose own figures are shown beside those of the queues; None: everybody's."""


async def review_measures(conn: Connection, window: Window, hours: Mapping[str, Hours]) -> Json:
    """`queues` and `reviewers`, since `window.since` until now; `hours` by queue, where it is not always open."""
    params = vars(window)

    async def rows(name: str) -> list[DictRow]:
        return await (await conn.execute(_SQL[name], params)).fetchall()

    agreement = {row["queue"]: row for row in await rows("measure_agreement")}
    reasons, edits = _by_queue(await rows("measure_reasons")), _by_queue(await rows("measure_edits"))
    queues = [
        _queue(row)
        | {
            "agreement": _agreement(agreement.get(row["queue"])),
            "reason_codes": {r["reason_code"]: r["times"] for r in reasons[row["queue"]]},
            "edited_arguments": {f"{e['tool']}.{e['name']}": e["times"] for e in edits[row["queue"]]},
        }
        for row in await rows("measure_queues")
    ]
    for queue in queues:
        open_hours = hours.get(queue["queue"])
        queue["review_time_to_decision_s"] = await _in_hours(conn, window, queue["queue"], open_hours)
    reviewers = [_reviewer(row) for row in await rows("measure_reviewers")]
    canaries = await rows("measure_canaries")
    for one in queues:
        one["canaries"] = _caught([row for row in canaries if row["queue"] == one["queue"]])
    for one in reviewers:
        one["canaries"] = _caught([row for row in canaries if row["decided_by"] == one["by"]])
    return {"since": window.since, "until": datetime.now(UTC), "queues": queues, "reviewers": reviewers}


async def _in_hours(conn: Connection, window: Window, queue: str, hours: Hours | None) -> Json | None:
    """p50 and p95 of review time, as Postgres' `percentile_cont` has them; None where every hour is one."""
    if hours is None:
        return None
    rows = await (await conn.execute(_SQL["decision_times"], vars(window) | {"queue": queue})).fetchall()
    took = [passed(row["requested_at"], row["decided_at"], hours) for row in rows]
    if len(took) < 2:
        return _spread([*took, *took] or None)
    cuts = quantiles(took, n=100, method="inclusive")
    return _spread([cuts[49], cuts[94]])


def _queue(row: Mapping[str, Any]) -> Json:
    decided = sum(row[kind] for kind in PERSONAL)
    ended = decided + row["expired"]
    return {
        "queue": row["queue"],
        "asked": row["asked"],
        "decided": decided,
        "decisions": {kind: row[kind] for kind in (*PERSONAL, *_BY_SYSTEM)},
        "time_to_decision_s": _spread(row["took_s"]),
        "breached": row["breached"],
        "breach_rate": _share(row["breached"], ended),
        "depth": row["depth"],
        "overdue": row["overdue"],
        "oldest_s": _seconds(row["oldest_s"]),
    }


def _reviewer(row: Mapping[str, Any]) -> Json:
    return {
        "by": row["by"],
        "decided": sum(row[kind] for kind in PERSONAL),
        "decisions": {kind: row[kind] for kind in PERSONAL},
        "timed": row["timed"],
        "seconds_per_decision": _spread(row["looked_s"]),
    }


def _agreement(row: Mapping[str, Any] | None) -> Json:
    requests, agreed = (row["requests"], row["agreed"]) if row else (0, 0)
    return {"requests": requests, "agreed": agreed, "share": _share(agreed, requests)}


def _caught(rows: Sequence[DictRow]) -> Json:
    decided, caught = sum(row["decided"] for row in rows), sum(row["caught"] for row in rows)
    return {"decided": decided, "caught": caught, "share": _share(caught, decided)}


def _by_queue(rows: Sequence[DictRow]) -> Mapping[str, list[DictRow]]:
    found: dict[str, list[DictRow]] = defaultdict(list)
    for row in rows:
        found[row["queue"]].append(row)
    return found


def _spread(cuts: Sequence[float] | None) -> Json:
    p50, p95 = cuts or (None, None)
    return {"p50": _seconds(p50), "p95": _seconds(p95)}


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
