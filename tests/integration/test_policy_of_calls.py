"""What the case's own calls have shown decides, and nobody else can say it; reads are judged, too."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime
from pydantic import JsonValue

from contracts.approval import Draft
from contracts.context import Context
from contracts.guard import Finished
from contracts.policy import Policy, deny, differs, equals
from nodes.waiting import proposes
from tests.engines import POLICY, Bench, Pay, fresh_bench, in_line, refund_draft, refused, stage
from tools import billing

REFUND, READ = billing.issue_refund, billing.list_charges


def has_read(args: dict[str, JsonValue], history: Sequence[Finished]) -> dict[str, JsonValue]:
    own = [call for call in history if call.tool == READ.name and call.args["account_id"] == args["account_id"]]
    return {"read": bool(own)}


RULES = (
    deny("unread", REFUND.name, differs("seen_read", True), why="Nobody has read the account."),
    deny("again", READ.name, equals("seen_read", True), why="It is read once."),
)
SEEING: Policy = replace(POLICY, rules=(*POLICY.rules, *RULES), evidence={REFUND.name: has_read, READ.name: has_read})


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def read(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    await runtime.context.tools.call(READ, billing.ChargesRequest(account_id=state["account_id"]))
    return {}


def forged(state: Pay) -> Draft:
    return refund_draft(state, amount_cents=5_000) | {"facts": {"seen_read": True, "host_mode": "auto"}}


READS, FREEZES = ("read", stage(read, "read", READ)), ("freeze", proposes(REFUND, forged))


async def verdict(bench: Bench, *stages: tuple[str, Any]) -> tuple[str, str]:
    trial = bench.offering(in_line(*stages, policy=SEEING))
    run = await trial.played({"account_id": bench.new_account()})
    request_id = (await trial.state(run))["proposal"]["request_id"]
    async with trial.engine.database.reading() as conn:
        row = await (await conn.execute("SELECT verdict, rule FROM approval WHERE id = %s", [request_id])).fetchone()
    assert row
    return row["verdict"], row["rule"]


async def test_policy_believes_the_ledger_and_not_the_draft(bench: Bench) -> None:
    assert await verdict(bench, FREEZES) == ("deny", "unread")
    assert await verdict(bench, READS, FREEZES) == ("allow", "small")


async def test_a_read_that_policy_denies_is_not_made_and_stands_in_the_audit(bench: Bench) -> None:
    again = ("again", stage(read, "read", READ))
    trial = bench.offering(in_line(READS, again, policy=SEEING))

    run = await trial.played({"account_id": bench.new_account()})

    assert await refused(trial, run) == "policy_denied"
    async with trial.engine.database.reading() as conn:
        rows = await (await conn.execute("SELECT tool FROM effect WHERE run_id = %s", [run.id])).fetchall()
    assert len(rows) == 1
