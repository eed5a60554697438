"""Who may write for a run: only the worker that holds it; and what becomes of runs that nobody holds."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from contracts.context import Context
from contracts.errors import AlreadyDecided, LeaseLost, ThreadBusy
from engine.approvals.decisions import Submission
from engine.runs import runs
from engine.runs.model import Cancellation, Run
from engine.worker.lease import Lease
from engine.worker.worker import sweep
from evals.worlds.faults import Fault
from evals.worlds.sandbox import effects_of
from nodes.waiting import proposes
from tests.conftest import Site, fresh_database
from tests.engines import FIN, Bench, Pay, bench_on, fresh_bench, in_line, refund_draft, stage
from tests.standstill import Moment, Point, Standstill
from tests.workers import Workers, workers_at
from tools import billing

READ = billing.ChargesRequest
DEAD = "a worker that is dead"


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def claim(bench: Bench, run_id: str, *, owner: str) -> Run | None:
    """Claim a run whose lease, if it has one, has just run out."""
    await bench.rows("UPDATE run SET lease_until = now() - interval '1 second' WHERE id = %s", run_id)
    async with bench.engine.database.transaction() as conn:
        return await runs.claim(conn, run_id, owner=owner, lease_s=600)


async def written(bench: Bench, thread_id: str) -> list[Any]:
    """What workers write for a thread, but for the audit trail."""
    queries = (
        "SELECT checkpoint_id FROM checkpoints WHERE thread_id = %s ORDER BY 1",
        "SELECT checkpoint_id, task_id, idx FROM checkpoint_writes WHERE thread_id = %s ORDER BY 1, 2, 3",
        "SELECT call_key, state FROM effect WHERE thread_id = %s ORDER BY 1",
        "SELECT id, status, stage FROM approval WHERE thread_id = %s ORDER BY 1",
        "SELECT id FROM question WHERE thread_id = %s",
        "SELECT id, status, epoch, lease_owner, error FROM run WHERE thread_id = %s",
    )
    return [await bench.rows(query, thread_id) for query in queries]


async def a_checkpoint(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    return {"receipt": {"late": True}}


async def a_ledger_row_of_a_read(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    await runtime.context.tools.call(billing.list_charges, READ(account_id=state["account_id"]))
    return {}


async def a_ledger_row_of_a_write(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    proposal = state["proposal"] or {}
    request = billing.RefundRequest.model_validate(proposal["args"])
    await runtime.context.tools.call(billing.issue_refund, request, request_id=str(proposal["request_id"]))
    return {}


async def a_frozen_action(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    return {"proposal": await runtime.context.gates.freeze(billing.issue_refund, refund_draft(state))}


async def an_open_request(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    interrupt(await runtime.context.gates.card(str((state["proposal"] or {})["request_id"])))
    return {}


async def an_open_question(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
    interrupt(await runtime.context.gates.question("Which one?"))
    return {}


Write = Callable[[Pay, Runtime[Context]], Awaitable[dict[str, Any]]]
WRITES: list[Write] = [
    a_checkpoint,
    a_ledger_row_of_a_read,
    a_ledger_row_of_a_write,
    a_frozen_action,
    an_open_request,
    an_open_question,
]


@pytest.mark.parametrize("write", WRITES)
async def test_a_worker_that_lost_its_lease_no_longer_writes(bench: Bench, write: Write) -> None:
    before: list[Any] = []

    async def late(state: Pay, runtime: Runtime[Context]) -> dict[str, Any]:
        case = runtime.context.case
        assert await claim(bench, case.run_id, owner="another worker")
        before.extend(await written(bench, case.thread_id))
        return await write(state, runtime)

    small = proposes(billing.issue_refund, lambda state: refund_draft(state, amount_cents=5_000))
    late_stage = stage(late, "effect", billing.list_charges, billing.issue_refund)
    trial = bench.offering(in_line(("freeze", small), ("late", late_stage)))
    account = bench.new_account(amount_cents=5_000)
    run = await trial.played({"account_id": account})

    assert await written(trial, run.thread_id) == before
    assert (run.status, run.epoch) == ("running", 2)
    assert bench.refunds(account) == []


@pytest.mark.parametrize("how", ["renew", "finish", "count_model_call", "release"])
async def test_a_run_that_was_taken_over_obeys_its_former_holder_no_more(bench: Bench, how: str) -> None:
    run = await bench.open_case()
    former = await claim(bench, run.id, owner=DEAD)
    assert former
    held = await claim(bench, run.id, owner="another worker")

    async with bench.engine.database.transaction() as conn:
        match how:
            case "renew":
                attempt = runs.renew(conn, former, lease_s=60)
            case "finish":
                attempt = runs.finish(conn, former, bench.wake_ups, status="success", outcome="completed")
            case "count_model_call":
                attempt = runs.count_model_call(conn, former)
            case _:
                attempt = runs.release(conn, former, bench.wake_ups)
        refused = isinstance((await asyncio.gather(attempt, return_exceptions=True))[0], LeaseLost)

    assert refused or how == "release"
    assert await bench.again(run) == held


async def test_a_run_that_is_held_is_claimed_by_nobody_else(bench: Bench) -> None:
    run = await bench.open_case()
    async with bench.engine.database.transaction() as conn:
        first = await runs.claim(conn, run.id, owner="first", lease_s=60)
        second = await runs.claim(conn, run.id, owner="second", lease_s=60)

    assert first is not None
    assert second is None


async def test_a_second_run_of_a_thread_waits_for_the_first(bench: Bench) -> None:
    first = await bench.open_case()
    second = await bench.accept(dict(first.input or {}), thread_id=first.thread_id)

    assert await claim(bench, second.id, owner="eager") is None
    assert await claim(bench, first.id, owner="patient") is not None


async def test_a_run_that_kills_every_worker_ends_safe_and_frees_its_thread(bench: Bench) -> None:
    deadly = await bench.open_case()
    following = await bench.accept(dict(deadly.input or {}), thread_id=deadly.thread_id)
    for _ in range(5):
        assert await claim(bench, deadly.id, owner=DEAD)
    await bench.rows("UPDATE run SET lease_until = now() - interval '1 second' WHERE id = %s", deadly.id)

    await sweep(bench.engine.carrier)
    await bench.go_on()

    ended = await bench.again(deadly)
    assert (ended.status, ended.outcome, ended.attempts) == ("error", "failed_safe", 6)
    assert "given up after 5 attempts" in str((ended.error or {})["message"])
    assert (await bench.again(following)).status == "interrupted"
    assert [data["outcome"] for event, data in await bench.events(deadly) if event == "run.failed"] == ["failed_safe"]


async def test_cancelling_a_run_that_was_not_begun_ends_it(bench: Bench) -> None:
    run = await bench.open_case()

    await bench.engine.intake.cancel(run, Cancellation("key:ada"))
    await bench.go_on()

    ended = await bench.again(run)
    assert (ended.status, ended.outcome, ended.attempts) == ("interrupted", "cancelled", 0)
    with pytest.raises(ThreadBusy):
        await bench.engine.intake.cancel(ended, Cancellation("key:ada"))


async def test_cancelling_a_parked_run_closes_its_request_for_good(bench: Bench) -> None:
    run, request = await bench.parked_case()

    await bench.engine.intake.cancel(run, Cancellation("key:ada"))
    with pytest.raises(AlreadyDecided) as refused:
        await bench.engine.answers.decide(request.id, Submission("approve", request.action_digest), FIN)
    with pytest.raises(AlreadyDecided):
        await bench.approve(run)
    await bench.go_on()

    assert refused.value.facts["winner"]["decided_by"] == "key:ada"  # type: ignore[index]
    assert (await bench.request_of(run)).status == "cancelled"
    assert (await bench.again(run)).outcome == "cancelled"
    assert bench.refunds(str((run.input or {})["account_id"])) == []
    assert await bench.rows("SELECT status FROM thread WHERE id = %s", run.thread_id) == [{"status": "idle"}]


async def test_cancelling_a_running_run_stops_it_within_a_heartbeat(bench: Bench) -> None:
    begun = asyncio.Event()

    async def dawdle(state: Pay) -> dict[str, Any]:
        begun.set()
        await asyncio.sleep(30)
        return {}

    trial = impatient(bench.offering(in_line(("dawdle", stage(dawdle)))))
    run = await trial.accept({"account_id": trial.new_account()})
    work = asyncio.create_task(trial.go_on())
    await begun.wait()

    started = time.monotonic()
    await trial.engine.intake.cancel(await trial.again(run), Cancellation("key:ada"))
    await work

    ended = await trial.again(run)
    assert (ended.status, ended.outcome) == ("interrupted", "cancelled")
    assert time.monotonic() - started < 2


async def test_a_wish_to_cancel_outlives_the_worker_that_should_have_obeyed(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    leg = await bench.approve(run)
    held = await claim(bench, leg.id, owner=DEAD)
    assert held
    await bench.engine.intake.cancel(held, Cancellation("key:ada"))
    await bench.rows("UPDATE run SET lease_until = now() - interval '1 second' WHERE id = %s", leg.id)

    await bench.go_on()

    assert (await bench.again(leg)).outcome == "cancelled"
    assert bench.refunds(str((run.input or {})["account_id"])) == []


async def test_a_write_under_way_when_its_run_is_cancelled_is_unknown(postgres: str, folder: Path) -> None:
    slow = {"slow": Fault("billing.issue_refund", "slow")}
    async with fresh_bench(postgres, folder, slow) as bench:
        trial = impatient(bench)
        run, _ = await trial.parked_case()
        leg = await trial.approve(run)
        work = asyncio.create_task(trial.go_on())
        await trial.until("SELECT 1 FROM effect WHERE tool = 'billing.issue_refund'")

        await trial.engine.intake.cancel(await trial.again(leg), Cancellation("key:ada"))
        await work

        rows = await trial.rows("SELECT state FROM effect WHERE tool = 'billing.issue_refund'")
        assert rows == [{"state": "unknown"}]
        assert ("call.finished", "unknown") in [(e, d.get("state")) for e, d in await trial.events(run)]
        assert (await trial.again(leg)).outcome == "cancelled"


def impatient(bench: Bench) -> Bench:
    """The same bench with a lease that is renewed ten times a second."""
    carrier = replace(bench.engine.carrier, lease=Lease(0.4))
    return replace(bench, engine=replace(bench.engine, carrier=carrier))


@dataclass(frozen=True)
class Shop:
    """A site with workers in processes of their own; nobody but them carries its runs."""

    bench: Bench
    workers: Workers
    standstill: Standstill
    points: dict[tuple[str, Moment], Point]

    async def stood_at(self, run: Run, *moment: Any) -> int:
        """A new worker that stands at this moment of the run's thread; its process id."""
        self.standstill.arm(run.thread_id, self.points[moment])
        worker = self.workers.start()
        await until(self.standstill.standing)
        return worker

    async def parked_case(self) -> tuple[Run, str]:
        """A dispute that waits for finance, and its account."""
        run = await self.bench.open_case()
        worker = self.workers.start()
        await self.bench.until(f"SELECT 1 FROM thread WHERE id = '{run.thread_id}' AND status = 'interrupted'")
        self.workers.end(worker, signal.SIGKILL)
        return run, str((run.input or {})["account_id"])

    async def ended(self, run: Run) -> Run:
        await self.bench.until(f"SELECT 1 FROM run WHERE id = '{run.id}' AND finished_at IS NOT NULL")
        return await self.bench.again(run)


@pytest.fixture(scope="module")
async def shop(postgres: str, folder: Path) -> AsyncIterator[Shop]:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "shop", folder / "shop.sqlite")
        async with bench_on(site, shared=True) as bench:
            with workers_at(site) as workers, Standstill(dsn) as standstill:
                shop = Shop(bench, workers, standstill, {})
                run, _ = await shop.parked_case()
                worker = workers.start()
                await shop.ended(await bench.approve(run))
                workers.end(worker, signal.SIGKILL)
                for point in standstill.points(run.thread_id):
                    shop.points.update({(word, point.moment): point for word in point.label.split(", ")})
                yield shop


async def until(happened: Callable[[], object]) -> None:
    for _ in range(1500):
        if happened():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("did not happen within 30 s")


STARTED = {tool: f"call.started {stage} {tool}" for stage, tool in
           (("pay_refund", "billing.issue_refund"), ("send_reply", "mail.send_reply"))}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "outcome", "messages", "state"),
    [("billing.issue_refund", "completed", 1, "done"), ("mail.send_reply", "handed_off", 0, "unknown")],
)
async def test_a_worker_that_was_stopped_longer_than_its_lease_acts_no_more(
    shop: Shop, tool: str, outcome: str, messages: int, state: str
) -> None:
    run, account = await shop.parked_case()
    leg = await shop.bench.approve(run)
    stopped = await shop.stood_at(run, STARTED[tool], "after")
    shop.workers.signal(stopped, signal.SIGSTOP)
    shop.standstill.release()
    heir = shop.workers.start()
    ended = await shop.ended(leg)

    shop.workers.signal(stopped, signal.SIGCONT)
    await until(lambda: f"run {leg.id} was taken over" in shop.workers.said())
    for worker in (stopped, heir):
        shop.workers.end(worker, signal.SIGKILL)

    ledger = await shop.bench.rows("SELECT state FROM effect WHERE thread_id = %s AND tool = %s", run.thread_id, tool)
    assert (ended.outcome, ended.epoch, ledger) == (outcome, 2, [{"state": state}])
    assert await shop.bench.again(leg) == ended
    assert shop.bench.refunds(account) == [25_000]
    assert sum(m["account_id"] == account for m in effects_of(shop.bench.worlds).messages) == messages


@pytest.mark.slow
async def test_a_worker_stopped_inside_a_transaction_does_not_hold_its_run_for_ever(shop: Shop) -> None:
    run, account = await shop.parked_case()
    leg = await shop.bench.approve(run)
    stopped = await shop.stood_at(run, STARTED["billing.issue_refund"], "before")
    shop.workers.signal(stopped, signal.SIGSTOP)
    shop.standstill.release()

    heir = shop.workers.start()
    ended = await shop.ended(leg)
    shop.workers.signal(stopped, signal.SIGCONT)
    await until(lambda: f"run {leg.id} was" in shop.workers.said())
    for worker in (stopped, heir):
        shop.workers.end(worker, signal.SIGKILL)

    assert (ended.outcome, ended.epoch) == ("completed", 2)
    assert await shop.bench.again(leg) == ended
    assert shop.bench.refunds(account) == [25_000]


@pytest.mark.slow
async def test_a_drained_worker_gives_its_run_back_at_a_stage_boundary(shop: Shop) -> None:
    run = await shop.bench.open_case()
    drained = await shop.stood_at(run, "call.finished crm.find_customer", "before")
    shop.workers.signal(drained, signal.SIGTERM)
    await until(lambda: "Draining" in shop.workers.said())
    shop.standstill.release()
    shop.workers.wait(drained)

    given_back = await shop.bench.again(run)
    stages = [data["stage"] for event, data in await shop.bench.events(run) if event == "stage.finished"]
    assert (given_back.status, given_back.attempts, stages[-1]) == ("pending", 0, "read_records")

    heir = shop.workers.start()
    await shop.bench.until(f"SELECT 1 FROM thread WHERE id = '{run.thread_id}' AND status = 'interrupted'")
    shop.workers.end(heir, signal.SIGKILL)
    calls = [data["tool"] for event, data in await shop.bench.events(run) if event == "call.started"]
    assert len(calls) == len(set(calls)) == 3


async def test_a_cancel_meets_the_worker_that_takes_the_run_at_that_moment(bench: Bench) -> None:
    run = await bench.open_case()

    async with bench.engine.database.transaction() as conn:
        assert await runs.claim(conn, run.id, owner="quick", lease_s=600)
        cancel = asyncio.create_task(bench.engine.intake.cancel(run, Cancellation("key:ada")))
        await asyncio.sleep(0.2)
    await cancel

    rows = await bench.rows("SELECT status, cancel_requested_by FROM run WHERE id = %s", run.id)
    assert rows == [{"status": "running", "cancel_requested_by": "key:ada"}]


@pytest.mark.slow
async def test_the_sweeper_finds_runs_whose_wake_up_is_lost_or_whose_worker_died(shop: Shop) -> None:
    held, silent = [await shop.bench.open_case() for _ in range(2)]
    assert await claim(shop.bench, held.id, owner=DEAD)
    await shop.bench.rows("UPDATE run SET lease_until = now() - interval '1 second' WHERE id = %s", held.id)
    await shop.bench.rows("UPDATE run SET updated_at = now() - interval '6 seconds' WHERE id = %s", silent.id)
    await shop.bench.rows("DELETE FROM procrastinate_jobs")

    worker = shop.workers.start()
    ended = [await shop.ended(run) for run in (held, silent)]
    shop.workers.end(worker, signal.SIGKILL)

    assert [(run.status, run.attempts) for run in ended] == [("interrupted", 2), ("interrupted", 1)]
