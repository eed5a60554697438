"""The accounting system: what a cost centre may spend."""

from contracts.tool import Call, ToolModel, tool
from tools.fields import Cents, CostCentreId, Currency, IsoDate


class BudgetRequest(ToolModel):
    cost_centre: CostCentreId


class Budget(ToolModel):
    """What a cost centre may spend on purchases in the period that runs."""

    cost_centre: CostCentreId
    name: str
    currency: Currency
    limit_cents: Cents
    spent_cents: Cents
    """Spent otherwise than by purchase orders, in `currency`."""
    period_starts_on: IsoDate


@tool(effect="read", scopes=("accounting:read",))
async def read_budget(request: BudgetRequest, call: Call) -> Budget:
    """Read what a cost centre may spend, and what of it is gone beside purchase orders.

    Raises `ToolRefused` for a cost centre that accounting does not have.
    """
    return Budget.model_validate(await call.send("GET", "/budgets", query={"cost_centre": request.cost_centre}))
