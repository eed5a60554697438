"""How review goes and how cases end, in figures."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from api.bodies import Body
from api.door import Reader, TheEngine
from engine.approvals.measures import WINDOW, Window, review_measures
from engine.measures.outcomes import Span, cost_measures, outcome_measures
from engine.measures.stages import stage_measures
from engine.queues.report import throttled_since

router = APIRouter(prefix="/stats", tags=["stats"])


class ReviewsQuery(Body):
    """Which reviews are measured."""

    since: AwareDatetime | None = Field(None, description="By default 30 days ago.")
    queue: str | None = Field(None, max_length=200)
    workflow: str | None = Field(None, max_length=200)


class CasesQuery(Body):
    """Which ended cases are measured."""

    since: AwareDatetime | None = Field(None, description="By default 30 days ago.")
    workflow: str | None = Field(None, max_length=200)

    def span(self, tenant: str) -> Span:
        return Span(tenant, self.since or datetime.now(UTC) - WINDOW, self.workflow)


@router.get("/outcomes")
async def outcomes(engine: TheEngine, principal: Reader, where: Annotated[CasesQuery, Query()]) -> dict[str, Any]:
    """How the cases of each version of a workflow ended: rates, time saved, wall time, cost of each completed case."""
    async with engine.database.reading() as conn:
        span = where.span(principal.tenant)
        return await outcome_measures(conn, span, engine.settings.baseline_minutes)


@router.get("/costs")
async def costs(engine: TheEngine, principal: Reader, where: Annotated[CasesQuery, Query()]) -> dict[str, Any]:
    """What cases cost in models and took in time, by outcome and by stage, and the dearest ones."""
    async with engine.database.reading() as conn:
        return await cost_measures(conn, where.span(principal.tenant))


@router.get("/stages")
async def stages(engine: TheEngine, principal: Reader, where: Annotated[CasesQuery, Query()]) -> list[dict[str, Any]]:
    """How often each stage sent cases another way, how often they ended otherwise for it, what it took and cost."""
    async with engine.database.reading() as conn:
        return await stage_measures(conn, where.span(principal.tenant))


@router.get("/reviews")
async def reviews(engine: TheEngine, principal: Reader, where: Annotated[ReviewsQuery, Query()]) -> dict[str, Any]:
    """What was asked and decided in each queue, how long it took, what waits; and what each person decided.

    Reviewers see their own figures beside the queues', operators everybody's.
    """
    since = where.since or datetime.now(UTC) - WINDOW
    by = None if principal.roles & {"operator", "auditor"} else principal.name
    window = Window(principal.tenant, since, where.queue, where.workflow, by)
    hours = {name: queue.terms.hours for name, queue in engine.catalog.queues.items() if queue.terms.hours}
    async with engine.database.reading() as conn:
        found = await review_measures(conn, window, hours)
        throttled = await throttled_since(conn, since, tenant=principal.tenant)
    for queue in found["queues"]:
        queue["throttled_s"] = throttled.get(queue["queue"], 0.0)
    return found
