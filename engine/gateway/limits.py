"""The controls of the gateway that limit calls: all ask one statement, and each judges its own part of the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import LoopDetected, RepeatedFailure
from contracts.money import minor_units
from contracts.tool import AnyTool
from engine.gateway.controls import CONTROLS, Asked, Control, counted
from engine.gateway.ledger import Ending
from engine.limits import admission, alarms, breakers
from engine.limits.model import Ask, Share, Standing
from engine.limits.rates import Rate
from engine.limits.shares import MONEY, merged, shares_of
from engine.limits.terms import LimitTerms
from engine.runs.model import Run
from engine.store.database import Connection


@dataclass(frozen=True)
class Limit(Control):
    """What all of these have in common: one question for all of them, in the transaction of the call's row."""

    terms: LimitTerms

    async def standing(self, conn: Connection, call: Asked) -> tuple[Ask, Standing]:
        """How the limits stand with this call; asked once, by whoever comes first."""
        found = call.seen.get("limits")
        if not isinstance(found, tuple):
            ask = ask_of(call, self.terms)
            found = call.seen["limits"] = (ask, await admission.stand(conn, ask))
        return found


class KillSwitches(Limit):
    """What somebody has switched off makes no call."""

    name: ClassVar[str] = "kill-switches"

    async def within(self, conn: Connection, call: Asked) -> None:
        admission.require_on(*await self.standing(conn, call))


class Breakers(Limit):
    """A system that fails again and again is left alone."""

    name: ClassVar[str] = "breakers"

    async def within(self, conn: Connection, call: Asked) -> None:
        await admission.require_whole(conn, *await self.standing(conn, call))

    async def after(self, conn: Connection, call: Asked, ending: Ending) -> None:
        failed = ending.state == "unknown" or (ending.error or {}).get("code") in breakers.FAILURES
        ask, standing = call.seen.get("limits", (None, None))
        if ask and (failed or standing.broken):  # where nothing has failed there is nothing to forget
            await breakers.heard(conn, ask.breaker, tenant=ask.tenant, failed=failed, terms=self.terms.breaker)


class RateLimits(Limit):
    """So many calls in a minute, counted by all workers together."""

    name: ClassVar[str] = "rate-limits"

    async def within(self, conn: Connection, call: Asked) -> None:
        admission.require_in_pace(*await self.standing(conn, call))


class BudgetCaps(Limit):
    """What a case, a workflow or a tool may use is reserved before the call."""

    name: ClassVar[str] = "budget-caps"

    async def within(self, conn: Connection, call: Asked) -> None:
        admission.require_budget(*await self.standing(conn, call))


class Alarms(Limit):
    """A workflow that behaves as it never did is told of and, where that is wanted, stopped."""

    name: ClassVar[str] = "alarms"

    async def within(self, conn: Connection, call: Asked) -> None:
        ask, standing = await self.standing(conn, call)
        if standing.novel:
            said: JsonObject = {"stage": ask.stage, "tool": ask.name}
            await alarms.raise_alarm(conn, "novelty", ask.workflow, said, self.terms.alarms, tenant=ask.tenant)

    async def refused(self, conn: Connection, run: Run) -> None:
        await alarms.refused(conn, run.workflow, self.terms.alarms, tenant=run.tenant)


class Repeats(Control):
    """The same call is not made again and again: neither one that fails, nor one that finds nothing new."""

    name: ClassVar[str] = "repeats"

    async def within(self, conn: Connection, call: Asked) -> None:
        budget, intent = call.workflow.policy.budget, call.intent
        made = await counted(conn, call)
        said = f"{intent.tool.name!r} with these arguments"
        if made.same_failed >= budget.same_failure:
            raise RepeatedFailure(
                f"{said} has failed {made.same_failed} times in this case: {made.last_failure} "
                f"{await admission.tried(conn, call.run.case_id)}",
                hint="A person takes the case up.",
                facts={"tool": intent.tool.name, "failures": made.same_failed},
            )
        if not intent.tool.writes and made.same > budget.same_call:
            raise LoopDetected(
                f"{said} was called {budget.same_call} times in this case without anything else coming of it. "
                f"{await admission.tried(conn, call.run.case_id)}",
                hint="A person takes the case up.",
                facts={"tool": intent.tool.name, "calls": budget.same_call},
            )


def controls_with(terms: LimitTerms) -> tuple[Control, ...]:
    """Every control of an installation. Those that limit come last: they hold rows that many calls share."""
    limits = (KillSwitches(terms), Breakers(terms), RateLimits(terms), BudgetCaps(terms), Alarms(terms))
    return (*CONTROLS, Repeats(), *limits)


def ask_of(call: Asked, terms: LimitTerms) -> Ask:
    """What one tool call asks of the limits."""
    run, intent, budget = call.run, call.intent, call.workflow.policy.budget
    tool = intent.tool
    shares = shares_of(budget, run.workflow, tool.name, run.case_id, takes_of(tool, intent.args))
    return Ask(
        call_key=intent.call_key,
        kind="tool",
        name=tool.name,
        tenant=run.tenant,
        workflow=run.workflow,
        run_id=run.id,
        case_id=run.case_id,
        stage=intent.stage,
        timezone=budget.timezone,
        shares=merged((*shares, *_of_contract(tool, run.workflow, run.case_id))),
        rates=tuple(_rates(call, terms)),
    )


def takes_of(tool: AnyTool, args: Mapping[str, JsonValue]) -> dict[str, int]:
    """What a call may use at most, by unit."""
    takes = {"tool_calls": 1, "ms": round(tool.timeout_s * 1000)}
    if tool.amount and (amount := args.get(tool.amount)) is not None:
        currency = str(args.get(tool.currency, ""))
        takes[f"{MONEY}{currency}"] = max(0, minor_units(amount, currency))
    return takes


def _of_contract(tool: AnyTool, workflow: str, case_id: str) -> list[Share]:
    limits, found = tool.limits, []
    if limits.at_once:
        found.append(Share(f"tool:{tool.name}", "now", "under_way", 1, limits.at_once))
    if limits.per_case:
        found.append(Share(f"workflow:{workflow}/{tool.name}", f"case:{case_id}", "tool_calls", 1, limits.per_case))
    return found


def _rates(call: Asked, terms: LimitTerms) -> list[Rate]:
    run, tool = call.run, call.intent.tool
    own = Rate(f"tool:{tool.name}", tool.limits.per_minute, run.tenant)
    of_system = Rate(f"system:{tool.system}", terms.systems_per_minute.get(tool.system, 0), run.tenant)
    shared = terms.rates_of(run.tenant, run.workflow, call.workflow.policy.budget.per_minute)
    return [rate for rate in (own, of_system, *shared) if rate.per_minute]
