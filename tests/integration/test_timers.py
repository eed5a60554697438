"""What happens to a request as time passes: each thing once and in order, whoever looks, however late."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.errors import AlreadyDecided, ApprovalExpired, Forbidden, GatehouseError, NoHigherLevel
from contracts.policy import Hours, Level, Queue
from engine.access.keys import Principal
from engine.approvals.decisions import Submission
from engine.approvals.escalation import escalate
from engine.approvals.model import ApprovalRequest
from engine.approvals.requests import ask, asked_of_thread, live_of_thread
from engine.runs.model import Run, RunOptions
from engine.wiring import running_worker
from engine.worker.worker import sweep
from nodes.waiting import approval_gate, proposes
from tests.conftest import ROOT, SEAL_KEY, Site, fresh_database
from tests.engines import FIN, POLICY, TENANT, Bench, bench_on, fresh_bench, in_line, refund_draft
from tools import billing

HOUR_S = 3600
QUEUE = Queue(
    "timed",
    target_s=4 * HOUR_S,
    warn_s=2 * HOUR_S,
    breach_s=5 * HOUR_S,
    escalation=(Level("group", 3 * HOUR_S), Level("owner", 6 * HOUR_S, role="owner"), Level("on call", 90 * HOUR_S)),
)
RULES = tuple(replace(rule, within_s=8 * HOUR_S if rule.within_s else 0) for rule in POLICY.rules)
GATED = replace(POLICY, queue=QUEUE, roles=("finance", "owner"), rules=RULES)
STAGES = (
    ("freeze", proposes(billing.issue_refund, refund_draft)),
    ("gate", approval_gate(billing.issue_refund)),
)
OLA = Principal("key:ola", frozenset({"reviewer"}), frozenset({"owner"}), TENANT)
OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)
PLAN = ["warned 2", "escalated 3", "breached 5", "escalated 6", "expired 8"]
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench.offering(in_line(*STAGES, policy=GATED))


async def asked(bench: Bench) -> tuple[Run, ApprovalRequest]:
    run = await bench.accept({"account_id": bench.new_account()})
    await bench.go_on()
    return run, await bench.request_of(run)


def hours_later(request: ApprovalRequest, hours: float) -> datetime:
    assert request.requested_at
    return request.requested_at + timedelta(hours=hours)


async def happened(bench: Bench, run: Run) -> list[str]:
    """What the trail says of the request's time, in its order."""
    told = [(event.removeprefix("approval."), data) for event, data in await bench.events(run)]
    kinds = ("warned", "breached", "escalated", "decided")
    return [str(data["type"]) if kind == "decided" else kind for kind, data in told if kind in kinds]


async def test_each_thing_happens_when_its_time_has_come(bench: Bench) -> None:
    run, request = await asked(bench)

    seen = []
    for hour in range(1, 11):
        before = len(await happened(bench, run))
        await sweep(bench.engine.carrier, now=hours_later(request, hour + 0.01))
        seen += [f"{what} {hour}" for what in (await happened(bench, run))[before:]]

    assert seen == PLAN
    await bench.go_on()
    assert (await bench.state(run))["decision"]["type"] == "expired"


async def test_nothing_happens_before_its_time(bench: Bench) -> None:
    run, request = await asked(bench)

    await sweep(bench.engine.carrier, now=hours_later(request, 1.99))

    assert await happened(bench, run) == []
    assert (request.warn_at, request.breach_at) == (hours_later(request, 2), hours_later(request, 5))


async def test_a_sweep_that_comes_late_makes_up_for_everything_once_and_in_order(bench: Bench) -> None:
    run, request = await asked(bench)

    for _ in range(2):
        await sweep(bench.engine.carrier, now=hours_later(request, 1000))

    assert await happened(bench, run) == [step.split()[0] for step in PLAN]
    assert (await bench.request_of(run)).level == 2, "on call is for later than its end"


async def test_many_sweepers_at_once_do_each_thing_once(bench: Bench) -> None:
    cases = [await asked(bench) for _ in range(5)]
    at = hours_later(cases[-1][1], 6.5)

    await asyncio.gather(*(sweep(bench.engine.carrier, now=at) for _ in range(8)))
    await sweep(bench.engine.carrier, now=at)  # for what each left to another

    for run, _ in cases:
        assert await happened(bench, run) == ["warned", "escalated", "breached", "escalated"]


FIRES_AND_HANGS = """
import asyncio, sys
from datetime import datetime
from engine.approvals.timers import due_requests, fire
from engine.store import vault
from engine.store.database import Database
from engine.store.scope import across_tenants
from engine.worker.dispatchers import InlineDispatcher

async def main(dsn, now, key):
    vault.install(bytes.fromhex(key))
    database = Database(dsn, size=4)
    await database.open()
    with across_tenants("a test", tenant="default"):
        async with database.transaction() as conn:
            for due in await due_requests(conn, now=now):
                print(due.id, await fire(conn, due, InlineDispatcher(), now=now))
            print("fired", flush=True)
            await asyncio.sleep(60)

asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3]))
"""


async def test_a_process_killed_before_its_commit_loses_nothing_and_doubles_nothing(bench: Bench) -> None:
    run, request = await asked(bench)
    at = hours_later(request, 8.5)
    dsn = bench.engine.database.dsn
    command = [sys.executable, "-c", FIRES_AND_HANGS, dsn, at.isoformat(), SEAL_KEY]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    done = (await asyncio.wait_for(process.stdout.readuntil(b"fired\n"), 60)).decode()
    process.kill()
    await process.wait()

    assert any(request.id in line and "expired" in line for line in done.splitlines())
    assert await happened(bench, run) == []
    for _ in range(100):
        await sweep(bench.engine.carrier, now=at)
        if await happened(bench, run):
            break
        await asyncio.sleep(0.05)  # until Postgres has noticed that the process is gone
    assert await happened(bench, run) == [step.split()[0] for step in PLAN]


@pytest.mark.parametrize("who", [OLA, FIN])
async def test_after_an_escalation_the_higher_role_may_decide_and_the_old_one_still(
    bench: Bench, who: Principal
) -> None:
    run, request = await asked(bench)
    with pytest.raises(Forbidden):
        await bench.engine.answers.decide(request.id, Submission("approve", request.action_digest), OLA)

    await sweep(bench.engine.carrier, now=hours_later(request, 6.1))
    await bench.engine.answers.decide(request.id, Submission("approve", request.action_digest), who)

    await bench.go_on()
    assert (await bench.state(run))["decision"]["by"] == who.name


async def test_who_had_claimed_it_has_it_no_more(bench: Bench) -> None:
    run, request = await asked(bench)
    held = "UPDATE approval SET assigned_to = 'key:fay', claimed_by = 'key:fay', claimed_at = now(), "
    await bench.rows(held + "claimed_until = now() + interval '9 hours' WHERE id = %s", request.id)

    await sweep(bench.engine.carrier, now=hours_later(request, 3.1))

    after = await bench.request_of(run)
    assert (after.level, after.claimed_by, after.assigned_to, after.escalated_to) == (1, None, None, ())
    told = [data for event, data in await bench.events(run) if event == "approval.escalated"]
    assert [(data["to"], data["taken_from"]) for data in told] == [("group", "key:fay")]


async def test_going_up_by_hand_is_one_step_that_time_does_not_repeat(bench: Bench) -> None:
    run, request = await asked(bench)

    async with bench.engine.database.transaction() as conn:
        await escalate(conn, request, FIN, reason="too large for me")
    await sweep(bench.engine.carrier, now=hours_later(request, 3.5))

    assert await happened(bench, run) == ["escalated", "warned"]
    told = [data for event, data in await bench.events(run) if event == "approval.escalated"]
    assert [(data["level"], data["reason"]) for data in told] == [(1, "too large for me")]


async def test_the_chain_has_an_end_and_strangers_do_not_pull_it(bench: Bench) -> None:
    run, request = await asked(bench)

    async with bench.engine.database.transaction() as conn:
        with pytest.raises(Forbidden):
            await escalate(conn, request, replace(OLA, approver_roles=frozenset({"legal"})), reason="")
        for _ in QUEUE.escalation:
            await escalate(conn, request, OLU, reason="")
        with pytest.raises(NoHigherLevel):
            await escalate(conn, request, OLU, reason="")

    assert (await bench.request_of(run)).escalated_to == ("owner",)


async def test_a_decision_and_the_end_of_its_time_at_one_moment_have_one_winner(bench: Bench) -> None:
    won: set[str] = set()
    for turn in range(20):
        run, request = await asked(bench)
        submission = Submission("approve", request.action_digest)
        two: list[Any] = [
            bench.engine.answers.decide(request.id, submission, FIN),
            sweep(bench.engine.carrier, now=hours_later(request, 9)),
        ]

        answers = await asyncio.gather(*two[:: 1 if turn % 2 else -1], return_exceptions=True)

        status = (await bench.request_of(run)).status
        refused = [answer for answer in answers if isinstance(answer, GatehouseError)]
        assert (status == "approved") is not bool(refused)
        assert all(isinstance(error, ApprovalExpired | AlreadyDecided) for error in refused)
        assert (await happened(bench, run)).count("approve" if status == "approved" else "expired") == 1
        won.add(status)

    assert won <= {"approved", "expired"}


async def test_a_request_of_an_earlier_release_just_expires(bench: Bench) -> None:
    run, request = await asked(bench)
    unknown = "warn_at = NULL, breach_at = NULL, next_timer_at = NULL, levels = '[]', level_at = '{}'"
    await bench.rows(f"UPDATE approval SET {unknown} WHERE id = %s", request.id)

    for hours in (7.9, 8.1):
        await sweep(bench.engine.carrier, now=hours_later(request, hours))

    assert await happened(bench, run) == ["expired"]


async def test_what_was_missed_while_no_worker_ran_is_made_up_for_by_the_next(postgres: str, folder: Path) -> None:
    passed = "UPDATE approval SET warn_at = now(), breach_at = now(), next_timer_at = now() WHERE status = 'pending'"
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "missed", folder / "missed.sqlite")
        async with bench_on(site, shared=True, sweep_every_s=0.1) as bench:
            async with running_worker(bench.engine):
                run = await bench.open_case()
                await bench.until("SELECT 1 FROM approval WHERE status = 'pending'")
            await bench.rows(passed)

            async with running_worker(bench.engine):
                await bench.until("SELECT 1 FROM approval WHERE breached_at IS NOT NULL")

            assert await happened(bench, run) == ["warned", "breached"]


async def frozen(bench: Bench) -> tuple[Run, ApprovalRequest]:
    """A case that stands before its gate: nobody has been asked yet."""
    run = await bench.accept({"account_id": bench.new_account()}, options=RunOptions(interrupt_before=("gate",)))
    await bench.go_on()
    async with bench.engine.database.transaction() as conn:
        return run, (await live_of_thread(conn, run.thread_id))[0]


@pytest.mark.parametrize(
    ("friday", "warned", "over"),
    [
        ("2026-11-20 16:00", "2026-11-23 10:00", "2026-11-23 16:00"),
        ("2026-03-27 16:00", "2026-03-30 10:00", "2026-03-30 16:00"),  # between them clocks are put forward
        ("2026-10-23 16:00", "2026-10-26 10:00", "2026-10-26 16:00"),  # and back
    ],
)
async def test_over_a_week_end_no_time_of_review_passes(bench: Bench, friday: str, warned: str, over: str) -> None:
    run, request = await frozen(bench)
    queue, at = replace(QUEUE, hours=Hours("Europe/Berlin")), datetime.fromisoformat
    value = {"request_id": request.id, "action_digest": request.action_digest, "stage": "gate", "within_s": 8 * HOUR_S}
    async with bench.engine.database.transaction() as conn:
        await ask(conn, run, "ab" * 16, value, queue, now=at(friday).replace(tzinfo=BERLIN))
        request = (await asked_of_thread(conn, run.thread_id))[0]

    assert (request.warn_at, request.expires_at) == (
        at(warned).replace(tzinfo=BERLIN),
        at(over).replace(tzinfo=BERLIN),
    )
    for minutes, seen in ((-1, []), (1, ["warned"])):
        await sweep(bench.engine.carrier, now=at(warned).replace(tzinfo=BERLIN) + timedelta(minutes=minutes))
        assert await happened(bench, run) == seen
