"""A worker dies at every moment of a case that pays a refund: another one finishes it, and nothing happens twice."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from commands.serving import free_port
from engine.audit.verify import Verification, verify
from engine.opening import open_database
from evals.worlds.sandbox import Effects, effects_of
from tests.cases import GRAPH, TWICE, new_account
from tests.conftest import Site, fresh_database, make_people, running, wait_until_up
from tests.standstill import STEADY, Point, Standstill
from tests.workers import Workers, workers_at

KILLS = 4
BY_THE_SERVER = ("thread.created", "run.created", "approval.decided")
MAIL_STARTED, MAIL_FINISHED = "call.started send_reply mail.send_reply", "call.finished mail.send_reply"
# A worker that stands at many moments at once holds a connection for each, and its own sweeper is not to help it.
MANY_AT_ONCE = STEADY | {"GATEHOUSE_POOL_SIZE": "50", "GATEHOUSE_CONCURRENCY": "50", "GATEHOUSE_SWEEP_EVERY_S": "60"}

IDLE = "SELECT count(*) FROM thread WHERE id = ANY(%s::uuid[]) AND status = 'idle'"
PARKED = "SELECT id FROM thread WHERE status = 'interrupted'"
OUTCOMES = "SELECT DISTINCT outcome FROM run WHERE thread_id = %s AND outcome IS NOT NULL"
WRITES = "SELECT DISTINCT state FROM effect WHERE thread_id = %s AND effect_class <> 'read'"


@dataclass(frozen=True)
class Case:
    thread: str
    account: str


@dataclass(frozen=True)
class Ended:
    """What is left of a case when everything is over."""

    outcomes: frozenset[str]
    refunds: tuple[int, ...]
    refund_keys: int
    """Idempotency keys that billing has seen for it."""
    messages: int
    unknown: bool
    """Whether a person is told that an outcome is unknown."""
    ledger: frozenset[str]
    """States of the rows of calls that change something."""
    untold: tuple[str, ...] = ()
    """Stages that the audit trail says have ended, and of which the reasoning trace knows nothing."""


def expected(point: Point) -> Ended:
    """Paid once and answered once; only a mail that may have been sent is left to a person."""
    doubtful = frozenset({"done", "unknown"})
    if MAIL_STARTED in point.label and point.moment == "after":
        return Ended(frozenset({"handed_off"}), (25_000,), 1, 0, unknown=True, ledger=doubtful)
    if MAIL_FINISHED in point.label and point.moment == "before":
        return Ended(frozenset({"handed_off"}), (25_000,), 1, 1, unknown=True, ledger=doubtful)
    return Ended(frozenset({"completed"}), (25_000,), 1, 1, unknown=False, ledger=frozenset({"done"}))


@dataclass
class Office:
    """A server without a worker, workers that come and go, and a reviewer who approves what is parked."""

    site: Site
    workers: Workers
    standstill: Standstill
    caller: httpx.Client
    reviewer: httpx.Client
    database: psycopg.Connection[Any]

    def open_case(self) -> Case:
        account = new_account(self.site.worlds, amount_cents=25_000)
        thread = self.caller.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": GRAPH, "input": {"complaint": TWICE, "account_id": account}}
        self.caller.post(f"/threads/{thread}/runs", json=body).raise_for_status()
        return Case(thread, account)

    def approve_until(self, over: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + 60
        while not over():
            assert time.monotonic() < ends_at, self.workers.said()[-4000:]
            parked = {str(row[0]) for row in self.database.execute(PARKED).fetchall()}
            for request in self.reviewer.get("/approvals", params={"limit": 500}).json():
                body = {"type": "approve", "action_digest": request["action_digest"]}
                if request["thread_id"] in parked:
                    path = f"/approvals/{request['request_id']}/decision"
                    self.reviewer.post(path, json=body).raise_for_status()
            time.sleep(0.05)

    def approve_until_ended(self, cases: list[Case]) -> None:
        threads = [case.thread for case in cases]
        self.approve_until(lambda: self.database.execute(IDLE, (threads,)).fetchall() == [(len(cases),)])

    def ended(self, cases: list[Case]) -> list[Ended]:
        done = effects_of(self.site.worlds)
        return [self._ended(case, done) for case in cases]

    def _ended(self, case: Case, done: Effects) -> Ended:
        summary = self.caller.get(f"/threads/{case.thread}").json()["values"]["summary"]
        ours = [r for r in done.requests if r.body.get("account_id") == case.account]
        return Ended(
            outcomes=self._values(OUTCOMES, case),
            refunds=tuple(int(str(r["amount_cents"])) for r in done.refunds if r["account_id"] == case.account),
            refund_keys=len({r.idempotency_key for r in ours if r.operation == "billing.issue_refund"}),
            messages=sum(m["account_id"] == case.account for m in done.messages),
            unknown="tool_outcome_unknown" in summary,
            ledger=self._values(WRITES, case),
            untold=self._untold(case),
        )

    def _untold(self, case: Case) -> tuple[str, ...]:
        run = self.caller.get(f"/threads/{case.thread}/runs").json()[0]["run_id"]
        ended = [r["data"]["stage"] for r in self._told(run, "timeline", "records") if r["event"] == "stage.finished"]
        traced = [e["stage"] for e in self._told(run, "trace", "entries") if e["kind"] == "stage" and "waits" not in e]
        return tuple((Counter(ended) - Counter(traced)).elements())

    def _told(self, run: str, how: str, what: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.caller.get(f"/runs/{run}/{how}").raise_for_status().json()[what]
        return found

    def _values(self, query: str, case: Case) -> frozenset[str]:
        return frozenset(row[0] for row in self.database.execute(query, (case.thread,)).fetchall())

    async def verify(self) -> Verification:
        async with open_database(self.site.settings(), lambda _: None) as database, database.transaction() as conn:
            return await verify(conn)


@pytest.fixture(scope="module")
def office(postgres: str, folder: Path) -> Iterator[Office]:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "killed", folder / "killed.sqlite")
        people = asyncio.run(make_people(site.settings()))
        url = f"http://127.0.0.1:{(port := free_port())}"
        with (
            workers_at(site) as workers,
            running(site, "serve", "--no-worker", "--port", str(port)),
            httpx.Client(base_url=url, headers={"x-api-key": people.ada}, timeout=30) as caller,
            httpx.Client(base_url=url, headers={"x-api-key": people.fin}, timeout=30) as reviewer,
            psycopg.connect(dsn, autocommit=True) as database,
            Standstill(dsn) as standstill,
        ):
            wait_until_up(url)
            yield Office(site, workers, standstill, caller, reviewer, database)


@pytest.fixture(scope="module")
def points(office: Office) -> list[Point]:
    """Every moment of a case that nobody disturbs."""
    worker, case = office.workers.start(**STEADY), office.open_case()
    office.approve_until_ended([case])
    office.workers.end(worker, signal.SIGKILL)
    points = [p for p in office.standstill.points(case.thread) if not any(e in p.label for e in BY_THE_SERVER)]
    assert office.ended([case]) == [expected(points[0])]
    return points


@pytest.mark.slow
@pytest.mark.parametrize("part", range(KILLS))
async def test_a_case_whose_worker_is_killed_at_any_moment_is_finished_and_paid_once(
    office: Office, points: list[Point], part: int
) -> None:
    cases = {point: office.open_case() for point in points[part::KILLS]}
    for point, case in cases.items():
        office.standstill.arm(case.thread, point)

    victim = office.workers.start(**MANY_AT_ONCE)
    office.approve_until(lambda: len(office.standstill.standing()) == len(cases))
    office.workers.end(victim, signal.SIGKILL)
    office.standstill.cut_off()
    heir = office.workers.start()
    office.approve_until_ended(list(cases.values()))
    office.workers.end(heir, signal.SIGKILL)

    ended = dict(zip(cases, office.ended(list(cases.values())), strict=True))
    assert {str(point): end for point, end in ended.items() if end != expected(point)} == {}
    assert (await office.verify()).findings == ()


def test_the_moments_cover_every_stage_and_both_sides_of_each_effect(points: list[Point]) -> None:
    moments = {(point.moment, word) for point in points for word in point.label.split(", ")}

    for word in ("call.started pay_refund billing.issue_refund", "call.finished billing.issue_refund"):
        assert {("before", word), ("after", word)} <= moments
    for word in (MAIL_STARTED, MAIL_FINISHED, "stage.finished pay_refund", "run.parked", "run.finished"):
        assert {("before", word), ("after", word)} <= moments
    assert len(points) > 35
