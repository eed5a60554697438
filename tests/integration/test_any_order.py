"""Whatever is done in whatever order, nothing happens without its approval, nothing twice, and everything ends."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from contracts.errors import AlreadyDecided
from engine.approvals.decisions import Submission
from tests.disorder.machine import AnyOrder
from tests.disorder.office import ADA, FAY, REX, Office, open_office

EXAMPLES = int(os.environ.get("ANY_ORDER_EXAMPLES", "0"))
"""How many orders the long form tries, other ones each time; the short form tries the same few."""
SETTINGS = settings(
    max_examples=EXAMPLES or 20,
    stateful_step_count=60 if EXAMPLES else 25,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # The short form has no time to look for a shorter order that fails, too.
    phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),
    report_multiple_bugs=False,
)
WANTED = ("happened", "ended: approved", "ended: expired", "ended: cancelled", "forged", "a worker died", "at once")


@contextmanager
def office_and_loop(postgres: str, folder: Path) -> Iterator[tuple[Office, asyncio.Runner]]:
    """An office whose calls are made one by one, from outside of its event loop."""
    with asyncio.Runner() as loop:
        opened = open_office(postgres, folder)
        office = loop.run(opened.__aenter__())
        try:
            yield office, loop
        finally:
            loop.run(opened.__aexit__(None, None, None))


@pytest.mark.slow
@pytest.mark.timeout(0 if EXAMPLES else 180)
def test_whatever_is_done_in_whatever_order_the_gates_hold(postgres: str, folder: Path) -> None:
    with office_and_loop(postgres, folder) as (office, loop):
        run_state_machine_as_test(lambda: AnyOrder(office, loop), settings=SETTINGS)

    assert [what for what in WANTED if not office.answers[what]] == [], f"was not tried; what was: {office.answers}"


async def test_a_run_that_finds_a_cancelled_gate_leaves_its_thread_at_rest(postgres: str, folder: Path) -> None:
    async with open_office(postgres, folder) as office:
        thread = await office.new_thread()
        await office.accept(thread, {"case": "a", "number": 50, "how": "add"}, ADA)
        await office.work()
        await office.cancel(thread, "interrupt")

        turned_away = await office.accept(thread, None, ADA)
        await office.work()

        status = await office.bench.rows("SELECT status FROM thread WHERE id = %s", thread)
        assert ((await office.bench.again(turned_away)).error or {})["error"] == "gate_open"
        assert status == [{"status": "idle"}]


@pytest.mark.parametrize(("number", "status"), [(3, "approved"), (5_000, "denied")])
async def test_what_policy_has_decided_is_nobody_elses_to_decide(
    postgres: str, folder: Path, number: int, status: str
) -> None:
    async with open_office(postgres, folder) as office:
        thread = await office.new_thread()
        await office.accept(thread, {"case": "a", "number": number, "how": "add"}, ADA)
        await office.work()
        (request,) = await office.requests(thread)

        for who in (FAY, REX):
            with pytest.raises(AlreadyDecided, match="policy:"):
                await office.decide(request["id"], Submission("approve", request["action_digest"]), who)
        assert request["status"] == status
