"""Small workflows that use up what a budget allows, and a bench without one of its controls."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime

from contracts.context import Context
from contracts.policy import Budget, Cap, Policy
from engine.catalog.workflow import Workflow
from engine.runs.model import Run
from nodes.effect import carries_out
from nodes.waiting import approval_gate, proposes
from tests.engines import POLICY, Bench, Pay, in_line, refund_draft, stage
from tools import billing

REFUND, READ = billing.issue_refund, billing.list_charges
LARGE = 1_000_000


def budget(**limits: Any) -> Policy:
    """The policy of the tests with these limits and no others."""
    return replace(POLICY, budget=Budget(**({"tool_calls": LARGE, "model_calls": LARGE, "seconds": 60} | limits)))


def paying(amount_cents: int, **limits: Any) -> Workflow:
    """Pay back so much, which policy allows; a call that is refused becomes a `problem`."""
    freeze = proposes(REFUND, lambda state: refund_draft(state, amount_cents=amount_cents))
    act = carries_out(REFUND, into="receipt")
    return in_line(("freeze", freeze), ("gate", approval_gate(REFUND)), ("pay", act), policy=budget(**limits))


def reading(accounts: Sequence[str], **limits: Any) -> Workflow:
    """Read these accounts one after another."""

    async def read(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        for account in accounts:
            await runtime.context.tools.call(READ, billing.ChargesRequest(account_id=account))
        return {}

    return in_line(("read", stage(read, "read", READ)), policy=budget(**limits))


def day(**cap: Any) -> dict[str, Any]:
    return {"day": Cap(**cap)}


def without(bench: Bench, control: str) -> Bench:
    """The bench with exactly this control taken away, of tools and of models."""
    carrier = bench.engine.carrier
    left = tuple(each for each in carrier.controls if each.name != control)
    of_models = tuple(name for name in carrier.models.controls if name != control)
    known = {each.name for each in carrier.controls} | {*carrier.models.controls}
    assert control in known, f"there is no control {control!r}"
    sources = replace(carrier.models, controls=of_models)
    return replace(bench, engine=replace(bench.engine, carrier=replace(carrier, controls=left, models=sources)))


async def problem_of(bench: Bench, run: Run) -> str:
    """Code of the problem that the run's case was left with, or of the error that ended it; empty: all went well."""
    run, state = await bench.again(run), await bench.state(run)
    return str((state.get("problem") or {}).get("code") or (run.error or {}).get("error") or "")


async def together(*benches: Bench, accounts: Sequence[str]) -> list[Run]:
    """One case for each account, carried at the same moment by the engines in turn."""
    runs = [await benches[n % len(benches)].accept({"account_id": account}) for n, account in enumerate(accounts)]
    carriers = [benches[n % len(benches)].engine.carrier for n in range(len(runs))]
    await asyncio.gather(*(carrier.advance(run.id) for carrier, run in zip(carriers, runs, strict=True)))
    return runs
