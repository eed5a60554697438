"""Queues that take no more than their reviewers can: exactly, for new cases only, and of themselves again."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.door import who
from contracts.errors import ConfigurationError, NotFound, QueueFull
from contracts.policy import Hours, Queue
from engine.access.keys import Principal
from engine.approvals.decisions import Submission
from engine.assistants.model import system_assistant_id
from engine.audit import audit
from engine.catalog.catalog import Catalog, load_catalog
from engine.queues.model import Load, ReviewQueue
from engine.queues.pauses import pause, resume
from engine.queues.report import queue_backlog, queues_of
from engine.runs.model import NewRun, NewThread, Run, RunOptions
from engine.schedules.model import Plan, Schedule
from engine.schedules.schedules import create_schedule, get_schedule
from engine.settings import read_settings
from engine.wiring import running_worker
from engine.worker.ticks import fire_due
from engine.worker.worker import sweep
from tests.conftest import ROOT, Site, fresh_database
from tests.engines import FIN, GRAPH, TENANT, TWICE, Bench, bench_on

QUEUE, CAPACITY = "billing-disputes", 5
OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)
ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)
DEPTH = """SELECT count(DISTINCT case_id) AS n FROM review_load
           WHERE tenant = 'default' AND (queue = 'billing-disputes' OR workflow = 'billing_dispute')"""
PERIODS = "SELECT cause, refused, until IS NULL AS goes_on FROM queue_throttle ORDER BY since"


@pytest.fixture
async def site(postgres: str, folder: Path) -> AsyncIterator[Site]:
    with fresh_database(postgres) as dsn:
        yield Site(dsn, folder / "queues", folder / "queues.sqlite")


@pytest.fixture
async def bench(site: Site) -> AsyncIterator[Bench]:
    async with bench_on(site, queues={QUEUE: {"capacity": CAPACITY}}) as bench:
        yield bench


async def attempt(bench: Bench) -> Run | QueueFull:
    """A new case on a thread that is made for it, as a caller without a thread sends it."""
    run_input = {"complaint": TWICE, "account_id": bench.new_account()}
    thread = NewThread(str(uuid.uuid4()), TENANT)
    new = NewRun(thread.id, TENANT, GRAPH, ADA.name, dict(run_input))
    try:
        return await bench.engine.intake.accept(new, thread=thread)
    except QueueFull as full:
        return full


async def fill(bench: Bench) -> list[Run]:
    """As many cases as the queue takes, all at the gate."""
    runs = [await bench.open_case() for _ in range(CAPACITY)]
    await bench.go_on()
    return runs


async def approve(bench: Bench, run: Run) -> None:
    request = await bench.request_of(run)
    await bench.engine.answers.decide(request.id, Submission("approve", request.action_digest), FIN)


async def depth(bench: Bench) -> int:
    return int((await bench.rows(DEPTH))[0]["n"])


async def test_two_servers_that_accept_at_once_never_take_one_too_many(site: Site, bench: Bench) -> None:
    async with bench_on(site, queues={QUEUE: {"capacity": CAPACITY}}) as other:
        answers = await asyncio.gather(*(attempt(one) for _ in range(16) for one in (bench, other)))

    assert sum(isinstance(answer, Run) for answer in answers) == CAPACITY == await depth(bench)
    assert await bench.rows(PERIODS) == [{"cause": "capacity", "refused": 32 - CAPACITY, "goes_on": True}]


@dataclass
class Traffic:
    """Two servers, each with a worker, whose callers send far more than one reviewer decides."""

    benches: tuple[Bench, Bench]
    number: int
    """How many cases are to be taken."""
    seen: list[int] = field(default_factory=list)
    taken: list[Run] = field(default_factory=list)

    async def call(self, bench: Bench) -> None:
        while len(self.taken) < self.number:
            answer = await attempt(bench)
            if isinstance(answer, Run):
                self.taken.append(answer)
            await asyncio.sleep(0.01)

    async def review(self, bench: Bench) -> None:
        while await depth(bench):
            self.seen.append(await depth(bench))
            for row in await bench.rows("SELECT id, action_digest FROM approval WHERE status = 'pending' LIMIT 2"):
                submission = Submission("approve", row["action_digest"])
                await bench.engine.answers.decide(str(row["id"]), submission, FIN)

    async def flow(self) -> None:
        async with running_worker(self.benches[0].engine), running_worker(self.benches[1].engine):
            self.taken.append(await self.benches[0].open_case())
            calls = [self.call(bench) for _ in range(4) for bench in self.benches]
            await asyncio.gather(self.review(self.benches[1]), *calls)


async def test_while_cases_come_ask_and_end_the_depth_never_passes_the_capacity(site: Site) -> None:
    limited: dict[str, Any] = {"shared": True, "queues": {QUEUE: {"capacity": CAPACITY}}, "sweep_every_s": 0.2}
    async with bench_on(site, **limited) as one, bench_on(site, **limited) as other:
        traffic = Traffic((one, other), number=3 * CAPACITY)

        await asyncio.wait_for(traffic.flow(), 30)

        ended = await one.rows("SELECT outcome, count(*) AS n FROM run WHERE kind = 'resume' GROUP BY outcome")
    assert max(traffic.seen) == CAPACITY
    assert ended == [{"outcome": "completed", "n": len(traffic.taken)}]


async def test_decisions_and_the_legs_that_follow_them_pass_a_full_queue(bench: Bench) -> None:
    runs = await fill(bench)
    assert isinstance(await attempt(bench), QueueFull)

    await approve(bench, runs[0])

    assert isinstance(await attempt(bench), QueueFull), "the case that was decided has not ended"
    await bench.go_on()
    assert isinstance(await attempt(bench), Run)


async def test_a_case_that_is_on_its_way_and_has_asked_counts_once(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    await bench.rows("UPDATE run SET status = 'running' WHERE id = %s", run.id)

    assert await depth(bench) == 1


async def test_what_was_refused_leaves_nothing_behind(bench: Bench) -> None:
    await fill(bench)

    full = await attempt(bench)

    assert isinstance(full, QueueFull)
    assert full.facts.items() >= {"queue": QUEUE, "cause": "capacity", "depth": 5, "capacity": 5}.items()
    assert len(await bench.rows("SELECT id FROM thread")) == len(await bench.rows("SELECT id FROM run")) == CAPACITY


async def test_a_run_that_goes_on_with_a_stopped_one_needs_room_and_one_that_edits_does_not(bench: Bench) -> None:
    stopped = await bench.accept(
        {"complaint": TWICE, "account_id": bench.new_account()}, options=RunOptions(interrupt_before=("*",))
    )
    await bench.go_on()
    await fill(bench)
    on = NewRun(stopped.thread_id, TENANT, GRAPH, ADA.name, None)

    with pytest.raises(QueueFull):
        await bench.engine.intake.accept(on)
    edits = RunOptions(update={"complaint": "another"})
    assert (await bench.engine.intake.accept(replace(on, options=edits))).acts is False


async def test_tenants_do_not_share_the_room(bench: Bench) -> None:
    await fill(bench)
    thread = NewThread(str(uuid.uuid4()), "elsewhere")
    theirs = NewRun(thread.id, "elsewhere", GRAPH, "key:eve", {"complaint": TWICE, "account_id": "AC-10000001"})

    assert (await bench.engine.intake.accept(theirs, thread=thread)).tenant == "elsewhere"
    async with bench.engine.database.reading() as conn:
        shown = await queues_of(conn, bench.engine.catalog.queues, tenant="elsewhere")
        most = await queue_backlog(conn, bench.engine.catalog.queues)
    assert {q["name"]: q["depth"] for q in shown}[QUEUE] == 1
    assert {q["queue"]: (q["depth"], q["capacity"]) for q in most}[QUEUE] == (CAPACITY, CAPACITY)


async def test_the_throttle_is_measured_and_ends_by_itself(bench: Bench) -> None:
    runs = await fill(bench)
    for _ in range(3):
        await attempt(bench)
    await sweep(bench.engine.carrier)
    assert await bench.rows(PERIODS) == [{"cause": "capacity", "refused": 3, "goes_on": True}]

    await approve(bench, runs[0])
    await bench.go_on()
    await sweep(bench.engine.carrier)

    assert await bench.rows(PERIODS) == [{"cause": "capacity", "refused": 3, "goes_on": False}]
    assert isinstance(await attempt(bench), Run)
    await attempt(bench)  # a gap of less than five seconds is none
    assert await bench.rows(PERIODS) == [{"cause": "capacity", "refused": 4, "goes_on": True}]


async def test_an_old_request_stops_new_cases_whatever_the_depth(site: Site) -> None:
    async with bench_on(site, queues={QUEUE: {"oldest_s": 3600}}) as bench:
        _, request = await bench.parked_case()
        assert isinstance(await attempt(bench), Run)
        await bench.rows("UPDATE approval SET requested_at = now() - interval '2 hours' WHERE id = %s", request.id)

        full = await attempt(bench)

    assert isinstance(full, QueueFull)
    assert (full.facts["cause"], full.facts["oldest_s"]) == ("age", pytest.approx(7200, abs=60))


def test_the_age_of_a_request_is_review_time() -> None:
    friday = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # half an hour before Berlin closes
    queue = ReviewQueue(Queue("office", 60, oldest_s=3600, hours=Hours("Europe/Berlin")), ())

    assert queue.full_because(Load(oldest_at=friday), friday + timedelta(days=2)) is None
    assert queue.full_because(Load(oldest_at=friday), friday + timedelta(days=2, hours=18)) == "age"


async def test_a_paused_queue_takes_no_new_case_until_it_is_resumed(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    async with bench.engine.database.transaction() as conn:
        await pause(conn, QUEUE, OLU, reason="all are ill")
        await pause(conn, QUEUE, OLU, reason="again")

    full = await attempt(bench)
    await approve(bench, run)
    await sweep(bench.engine.carrier)

    assert isinstance(full, QueueFull)
    assert await bench.rows(PERIODS) == [{"cause": "pause", "refused": 1, "goes_on": True}]
    async with bench.engine.database.transaction() as conn:
        await resume(conn, QUEUE, OLU, reason="back")
        with pytest.raises(NotFound):
            await resume(conn, QUEUE, OLU, reason="back")
        told = [link.record for link in await audit.chain(conn, f"queue:{QUEUE}")]
    assert [(r["event"], r["actor"], r["data"]["reason"]) for r in told] == [
        ("queue.paused", OLU.name, "all are ill"),
        ("queue.resumed", OLU.name, "back"),
    ]
    assert isinstance(await attempt(bench), Run)
    assert not (await bench.rows(PERIODS))[0]["goes_on"]


DUE = timedelta(minutes=5)


async def scheduled(bench: Bench) -> Schedule:
    """A schedule of a case for every minute."""
    claim: dict[str, Any] = {"complaint": TWICE, "account_id": bench.new_account()}
    async with bench.engine.database.transaction() as conn:
        await conn.execute("INSERT INTO api_key VALUES ('k', 'ada', '\\x00', '{caller}')")
        return await create_schedule(conn, Plan("* * * * *", system_assistant_id(GRAPH), {"input": claim}), ADA)


async def fired(bench: Bench, schedule: Schedule) -> int:
    """How many runs have come of a schedule after three sweeps at a time when it is due."""
    for _ in range(3):
        await fire_due(bench.engine.intake, now=schedule.created_at + DUE)
    async with bench.engine.database.transaction() as conn:
        now = await get_schedule(conn, schedule.id, tenant=TENANT)
    assert (now.last_error, now.plan.enabled) == (None, True)
    return len(await bench.rows("SELECT 1 FROM run WHERE metadata ->> 'cron_id' = %s", schedule.id))


async def test_a_schedule_waits_for_room_and_then_comes_once(bench: Bench) -> None:
    schedule, runs = await scheduled(bench), await fill(bench)

    assert await fired(bench, schedule) == 0
    assert [row["refused"] for row in await bench.rows(PERIODS)] == [0]
    await approve(bench, runs[1])
    await bench.go_on()

    assert await fired(bench, schedule) == 1


async def test_a_schedule_waits_while_its_queue_is_paused(bench: Bench) -> None:
    schedule = await scheduled(bench)
    async with bench.engine.database.transaction() as conn:
        await pause(conn, QUEUE, OLU, reason="a test")

    assert await fired(bench, schedule) == 0
    async with bench.engine.database.transaction() as conn:
        await resume(conn, QUEUE, OLU, reason="a test")

    assert await fired(bench, schedule) == 1


async def test_a_queue_without_limits_is_not_looked_at(site: Site) -> None:
    async with bench_on(site, queues={QUEUE: {"capacity": 0}}) as bench:
        await bench.open_case()

        assert await bench.rows("SELECT * FROM review_queue") == []


@asynccontextmanager
async def serving(bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    """The routes over a bench, for somebody who calls and operates."""
    app = create_app(lambda: None, max_body_bytes=10_000)  # type: ignore[arg-type,return-value]  # it is open
    app.state.engine = bench.engine
    app.dependency_overrides[who] = lambda: replace(OLU, roles=frozenset({"caller", "operator"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        yield http


def new_case(bench: Bench) -> dict[str, Any]:
    return {"assistant_id": GRAPH, "input": {"complaint": TWICE, "account_id": bench.new_account()}}


async def test_of_a_batch_that_does_not_fit_it_is_said_what_was_accepted(bench: Bench) -> None:
    async with serving(bench) as http:
        refused = await http.post("/runs/batch", json=[new_case(bench) for _ in range(CAPACITY + 2)])

    assert (refused.status_code, len(refused.json()["accepted"])) == (429, CAPACITY)
    kept = {str(row["id"]) for row in await bench.rows("SELECT id FROM run")}
    assert {run["run_id"] for run in refused.json()["accepted"]} == kept


async def test_callers_are_told_when_to_come_again(bench: Bench) -> None:
    runs = await fill(bench)
    body = new_case(bench)
    async with serving(bench) as http:
        unknown = await http.post("/runs", json=body)
        for run in runs[:3]:
            await approve(bench, run)
        known = await http.post("/runs", json=body)
        shown = (await http.get(f"/queues/{QUEUE}")).json()

    assert (unknown.status_code, unknown.json()["code"], unknown.headers["retry-after"]) == (429, "queue_full", "60")
    assert known.headers["retry-after"] == "100", "one place too few, and three decided in 300 s"
    assert (shown["depth"], shown["open"], shown["refused"]) == (CAPACITY, CAPACITY - 3, 2)
    assert shown["throttled"]["cause"] == "capacity"


def test_policies_agree_about_a_queue() -> None:
    workflow = load_catalog(ROOT / "langgraph.json", routes={})[GRAPH]
    queue = replace(workflow.policy.queue, capacity=1)
    other = replace(workflow, name="other", policy=replace(workflow.policy, queue=queue))

    with pytest.raises(ConfigurationError, match="other things about the queue"):
        Catalog([workflow, other])
    with pytest.raises(ConfigurationError, match="billing-dispute'"):
        Catalog([workflow], {"billing-dispute": {"capacity": 1}})
    assert Catalog([workflow, replace(workflow, name="other")]).queues[QUEUE].workflows == (GRAPH, "other")


def test_an_operator_s_terms_count_and_are_no_other_version() -> None:
    plain, other = (load_catalog(ROOT / "langgraph.json", routes={}, queues=q) for q in ({}, {QUEUE: {"capacity": 9}}))

    assert (plain.queue_of(GRAPH).terms.capacity, other.queue_of(GRAPH).terms.capacity) == (1000, 9)
    assert plain.versions == other.versions


def test_an_operator_s_hours_are_read_and_impossible_ones_refused() -> None:
    hours = {"timezone": "Europe/Berlin", "closed_on": ["2026-12-24"]}
    read = read_settings(queues={QUEUE: {"hours": hours, "capacity": 0}})

    assert read.queue_overrides() == {
        QUEUE: {"hours": Hours("Europe/Berlin", closed_on=("2026-12-24",)), "capacity": 0}
    }
    for wrong in ({"hours": hours | {"timezone": "Berlin"}}, {"capacity": -1}, {"size": 1}):
        with pytest.raises(ConfigurationError, match=QUEUE):
            read_settings(queues={QUEUE: wrong})
