"""What policy denies is neither done nor read: each control that sees to it, and what happens without."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.access.keys import Principal
from engine.gateway.controls import Control, ModeOfWorkflow, PolicyOfReads
from engine.policies import modes
from tests.engines import TENANT, Bench, fresh_bench, in_line, refused, stage
from tests.integration.test_policy_of_calls import READ, READS, SEEING, read

pytestmark = pytest.mark.controls

OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)


@pytest.fixture
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


def lacking(bench: Bench, kind: type[Control]) -> Bench:
    carrier = bench.engine.carrier
    rest = tuple(control for control in carrier.controls if not isinstance(control, kind))
    return replace(bench, engine=replace(bench.engine, carrier=replace(carrier, controls=rest)))


@pytest.mark.parametrize(("controlled", "paid"), [(True, []), (False, [25_000])])
async def test_what_was_approved_before_a_lower_mode_is_not_done(
    bench: Bench, controlled: bool, paid: list[int]
) -> None:
    run, request = await bench.parked_case()
    await bench.approve(run)
    async with bench.engine.database.transaction() as conn:
        await modes.change(conn, bench.workflow, "read_only", OLU, reason="a test")

    await (bench if controlled else lacking(bench, ModeOfWorkflow)).go_on()

    assert bench.refunds(str(request.args["account_id"])) == paid


async def test_a_read_that_a_rule_denies_is_made_only_without_the_control(bench: Bench) -> None:
    flow = in_line(READS, ("again", stage(read, "read", READ)), policy=SEEING)
    held, free = bench.offering(flow), lacking(bench.offering(flow), PolicyOfReads)

    stopped = await held.played({"account_id": bench.new_account()})
    went_on = await free.played({"account_id": bench.new_account()})

    assert await refused(held, stopped) == "policy_denied"
    assert (await free.again(went_on)).status == "success"
