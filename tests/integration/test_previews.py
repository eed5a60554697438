"""What reviewers are shown of a call before it is made: read from its system, and nothing is written by looking."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.approval import Change
from contracts.tool import AnyTool, Call
from evals.worlds.sandbox import effects_of
from nodes.waiting import approval_gate, proposes
from tests.engines import POLICY, Bench, fresh_bench, in_line, refund_draft
from tools import billing

REFUND = billing.issue_refund


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def shown(bench: Bench, tool: AnyTool) -> dict[str, Any]:
    """The card of a refund that waits for finance."""
    policy = replace(POLICY, tools=(billing.list_charges, tool))
    waits = in_line(("freeze", proposes(tool, refund_draft)), ("gate", approval_gate(tool)), policy=policy)
    trial = bench.offering(waits)
    run = await trial.played({"account_id": bench.new_account()})
    return (await trial.request_of(run)).card


async def test_the_system_says_what_a_refund_would_leave(bench: Bench) -> None:
    card = await shown(bench, REFUND)

    (change,) = card["preview"]
    assert (change["before"], change["after"]) == (25_000, 0)
    assert effects_of(bench.worlds).refunds == ()


async def test_a_tool_without_a_preview_shows_none(bench: Bench) -> None:
    assert (await shown(bench, replace(REFUND, dry_run=None)))["preview"] is None


async def test_a_preview_that_writes_is_refused_before_anything_is_sent(bench: Bench) -> None:
    async def pays(request: billing.RefundRequest, call: Call) -> list[Change]:
        await call.send("POST", "/refunds", body=request.model_dump(mode="json"))
        return []

    policy = replace(POLICY, tools=(billing.list_charges, replace(REFUND, dry_run=pays)))
    stages = in_line(("freeze", proposes(replace(REFUND, dry_run=pays), refund_draft)), policy=policy)
    trial = bench.offering(stages)
    run = await trial.played({"account_id": bench.new_account()})

    assert (run.error or {})["error"] == "tool_not_granted"
    assert effects_of(bench.worlds).refunds == ()
