"""How cases ended and what they cost, by version of their workflow. Reads only; the docs say what figures mean."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import DictRow

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)

Json = dict[str, Any]
_OUTCOMES = ("completed", "rejected", "handed_off", "failed_safe", "cancelled", "expired")
_MILLIONTHS = 1_000_000


@dataclass(frozen=True)
class Span:
    """Which ended cases are measured; None means any workflow."""

    tenant: str
    since: datetime
    workflow: str | None = None


async def outcome_measures(conn: Connection, span: Span, baseline_minutes: Mapping[str, float]) -> Json:
    """For each workflow and version, the newest first: rates, times, costs; `baseline_minutes` by workflow."""
    costs = await _costs(conn, span)
    versions = []
    for row in await _rows(conn, "outcomes", span):
        paid = _sums(costs[row["workflow"], row["version"]].values())
        saved = _saved(row, baseline_minutes.get(row["workflow"]))
        versions.append(_version(row) | saved | _paid(paid, row["completed"]))
    return _of(span) | {"versions": versions}


async def cost_measures(conn: Connection, span: Span, *, dearest: int = 10) -> Json:
    """What cases cost and took, by version and outcome and by version and stage, and the dearest single ones."""
    costs = await _costs(conn, span)
    outcomes = [
        _by_outcome(row, costs[row["workflow"], row["version"]][row["outcome"]])
        for row in await _rows(conn, "cost_by_outcome", span)
    ]
    rows = await (await conn.execute(_SQL["dearest"], vars(span) | {"limit": dearest})).fetchall()
    cases = [dict(row) | {"run_id": str(row["run_id"]), "cost": in_units(row["cost"])} for row in rows]
    stages = [dict(row) | {"cost": in_units(row["cost"])} for row in await _rows(conn, "stage_costs", span)]
    return _of(span) | {"outcomes": outcomes, "stages": stages, "dearest": cases}


def in_units(millionths: int) -> float:
    """A sum of money as people count it."""
    return round(millionths / _MILLIONTHS, 6)


def spread(cuts: Sequence[float] | None) -> Json:
    """p50 and p95 of a time."""
    p50, p95 = cuts or (None, None)
    return {"p50": _rounded(p50), "p95": _rounded(p95)}


def rate(part: int, whole: int) -> float | None:
    """A share, or None where there is nothing to have a share of."""
    return round(part / whole, 4) if whole else None


def _of(span: Span) -> Json:
    return {"since": span.since, "until": datetime.now(UTC)}


async def _rows(conn: Connection, name: str, span: Span) -> list[DictRow]:
    return await (await conn.execute(_SQL[name], vars(span))).fetchall()


async def _costs(conn: Connection, span: Span) -> Mapping[tuple[str, str], Mapping[str, dict[str, int]]]:
    """By version, outcome and currency."""
    found: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in await _rows(conn, "costs", span):
        found[row["workflow"], row["version"]][row["outcome"]][row["currency"]] = row["cost"]
    return found


def _sums(costs: Iterable[Mapping[str, int]]) -> dict[str, int]:
    summed: dict[str, int] = defaultdict(int)
    for by_currency in costs:
        for currency, cost in by_currency.items():
            summed[currency] += cost
    return summed


def _version(row: Mapping[str, Any]) -> Json:
    corrected = row["edited"] + row["rejected"] + row["compensated"]
    counts = ("escalated", "decided", "edited", "rejected", "executed", "compensated")
    ended = {name: row["rejected_cases" if name == "rejected" else name] for name in _OUTCOMES}
    return {
        "workflow": row["workflow"],
        "version": row["version"],
        "first_at": row["first_at"],
        "last_at": row["last_at"],
        "ended": row["ended"],
        "outcomes": ended,
        "completion_rate": rate(row["completed"], row["ended"]),
        "escalation_rate": rate(row["escalated"], row["ended"]),
        "correction_rate": rate(corrected, row["decided"] + row["executed"]),
        **{name: row[name] for name in counts},
        "wall_s": spread(row["wall_s"]),
    }


def _saved(row: Mapping[str, Any], baseline: float | None) -> Json:
    """Of a case that was handed over or failed a person did the whole: it saves nothing and costs what was looked."""
    people = row["looked_s"] / 60
    done = row["completed"] + row["rejected_cases"]
    saved = None if baseline is None else round(done * baseline - people, 1)
    return {"people_minutes": round(people, 1), "untimed": row["untimed"], "saved_minutes": saved}


def _paid(paid: Mapping[str, int], completed: int) -> Json:
    """All that was paid, for whatever came of it, over what was completed."""
    total = {currency: in_units(cost) for currency, cost in paid.items()}
    each = {currency: in_units(round(cost / completed)) for currency, cost in paid.items()} if completed else {}
    return {"cost": total, "cost_per_completed": each}


def _by_outcome(row: Mapping[str, Any], costs: Mapping[str, int]) -> Json:
    names = ("workflow", "version", "outcome", "cases", "model_calls", "tokens_read", "tokens_written")
    each = {currency: in_units(round(cost / row["cases"])) for currency, cost in costs.items()}
    times = {"wall_s": spread(row["wall_s"]), "work_s": spread(row["work_s"])}
    total = {currency: in_units(cost) for currency, cost in costs.items()}
    return {name: row[name] for name in names} | times | {"cost": total, "cost_per_case": each}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
