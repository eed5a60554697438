"""How the caps of workflows stand: spent, reserved by what is under way, and left."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.policy import Budget
from engine.limits.shares import limits_of
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Wanted:
    """A workflow whose caps are asked for: those of a day, or those of a case."""

    workflow: str
    budget: Budget
    case_id: str = ""


@dataclass(frozen=True)
class Line:
    """One cap. Numbers are in the unit: milliseconds, minor units of a currency, or just counted."""

    workflow: str
    tool: str
    """Empty: all of them together."""
    period: str
    """A day, or `case:<id>`."""
    unit: str
    limit: int
    spent: int
    reserved: int
    """By calls of which nobody has told the end yet."""
    left: int


async def caps_of(conn: Connection, wanted: Iterable[Wanted], *, tenant: str) -> list[Line]:
    """Every cap of these workflows, in the order of workflow, tool and unit."""
    found: list[Line] = []
    for each in wanted:
        budget, whole = each.budget, f"workflow:{each.workflow}"
        general, special = (budget.case, budget.tools) if each.case_id else (budget.day, budget.tools_day)
        caps = {"": general, **special}
        params = {"tenant": tenant, "timezone": budget.timezone, "case_id": each.case_id, "scope": whole}
        rows = await (await conn.execute(_SQL["used"], params)).fetchall()
        period = rows[0]["period"]
        used = {(row["scope"], row["unit"]): (row["used"], row["held"]) for row in rows if row["scope"]}
        for tool, cap in sorted(caps.items()):
            scope = f"{whole}/{tool}" if tool else whole
            for unit, limit in sorted(limits_of(cap).items()):
                all_, held = used.get((scope, unit), (0, 0))
                found.append(Line(each.workflow, tool, period, unit, limit, all_ - held, held, max(0, limit - all_)))
    return found
