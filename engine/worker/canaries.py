"""Puts canaries to reviewers: copies of approved requests, changed so that the workflow's policy would deny them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.approval import JsonObject
from contracts.errors import InvalidRequest
from contracts.policy import GUARD_ASKS, GUARD_DENIES
from contracts.tool import AnyTool
from engine.approvals.canaries import keep_canary, sources
from engine.approvals.model import ApprovalRequest
from engine.catalog.catalog import Catalog
from engine.catalog.workflow import Workflow
from engine.store.database import Connection, Database
from engine.store.scope import across_tenants, narrow

DAY_S = 86_400
_TIMES = (10, 3)


@dataclass(frozen=True)
class Lures:
    """Any number of workers put canaries; together no more than so many a day to each tenant's queue."""

    database: Database
    catalog: Catalog
    a_day: int
    every_s: float
    """How often it is asked whether one is to be put."""

    async def put_some(self) -> list[str]:
        """At times that nobody can foresee, spread over the day; the ids of what was put."""
        likely = self.every_s * self.a_day / DAY_S
        lucky = [name for name in self.catalog.queues if random.random() < likely]  # noqa: S311  # no secret
        return [made for name in lucky if (made := await self.put(name))]

    async def put(self, queue: str) -> str | None:
        """One canary to this queue now; None where its share is used up, or nothing there can be made wrong."""
        with across_tenants("each tenant's share of canaries"):
            async with self.database.transaction() as conn:
                return await self._put(conn, queue)

    async def _put(self, conn: Connection, queue: str) -> str | None:
        found = await sources(conn, queue, a_day=self.a_day)
        for source in found:
            workflow = self.catalog.get(source.workflow)
            # What is wrong with a copy may be shown to who decides: another tenant's values have no place in it.
            others = [other for other in found if other.tenant == source.tenant]
            changed = wrong_copy(workflow, source, others) if workflow else None
            if changed:
                terms, now = self.catalog.queues[queue].terms, datetime.now(UTC)
                await narrow(conn, source.tenant)
                return await keep_canary(conn, source, *changed, terms, now=now)
        return None


_AS_IF_GUARDED: JsonObject = {GUARD_ASKS: False, GUARD_DENIES: False}
"""It is a rule over the facts that must deny a wrong copy: a canary comes from no case that guards could look at."""


def wrong_copy(
    workflow: Workflow, source: ApprovalRequest, others: Sequence[ApprovalRequest]
) -> tuple[JsonObject, str] | None:
    """Arguments that policy denies on the facts of the request, and what is wrong with them; None where there are none.

    Summary, evidence and facts stay: the action is not the one that they speak of.
    """
    tool = next((tool for tool in workflow.policy.tools if tool.name == source.tool), None)
    if tool is None:
        return None
    for args, wrong in _changed(tool, source, others):
        try:
            judged = workflow.judge(source.tool, args, source.facts, source.host | _AS_IF_GUARDED)
        except InvalidRequest:
            continue
        if judged.verdict.type == "deny":
            return judged.call.args, f"{wrong} {judged.verdict.why}"
    return None


def _changed(
    tool: AnyTool, source: ApprovalRequest, others: Sequence[ApprovalRequest]
) -> Iterator[tuple[JsonObject, str]]:
    amount = source.args.get(tool.amount) if tool.amount else None
    if isinstance(amount, int):
        for times in _TIMES:
            yield (
                {**source.args, tool.amount: amount * times},
                f"{tool.amount} is {times} times what it was.",
            )
    for other in others:
        target = other.args.get(tool.target)
        if other.tool == source.tool and target not in (None, source.args.get(tool.target)):
            yield {**source.args, tool.target: target}, f"{tool.target} is that of another request."
