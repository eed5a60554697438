"""What was spent, as facts of the host that policy reads: what is under way included, where a cap is set."""

from contracts.policy import HOST, Budget
from engine.limits.shares import limits_of
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def spent_facts(
    conn: Connection, budget: Budget, workflow: str, tool: str, case_id: str, *, tenant: str
) -> dict[str, int]:
    """`host_spent_day_…` and `host_spent_case_…` of the workflow, `host_spent_tool_…` of the tool, by unit.

    As in `host_spent_day_money_EUR`, `host_spent_tool_case_tool_calls`. Nothing where no cap is set.
    """
    whole = f"workflow:{workflow}"
    caps = {
        (whole, False): ("day", budget.day),
        (whole, True): ("case", budget.case),
        (f"{whole}/{tool}", False): ("tool_day", budget.tools_day.get(tool)),
        (f"{whole}/{tool}", True): ("tool_case", budget.tools.get(tool)),
    }
    wanted = {place: (name, limits_of(cap)) for place, (name, cap) in caps.items() if cap and limits_of(cap)}
    if not wanted:
        return {}
    scopes = [scope for scope, _ in wanted]
    params = {"tenant": tenant, "scopes": scopes, "timezone": budget.timezone, "case_id": case_id}
    rows = await (await conn.execute(_SQL["spent"], params)).fetchall()
    used = {(row["scope"], row["of_case"], row["unit"]): int(row["used"]) for row in rows}
    return {
        f"{HOST}spent_{name}_{unit.replace(':', '_')}": used.get((*place, unit), 0)
        for place, (name, limits) in wanted.items()
        for unit in limits
    }
