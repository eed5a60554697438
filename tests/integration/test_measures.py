"""How review goes: figures of queues and people, of the right time, tenant and kind."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from cli import app
from commands.reviews import duration
from contracts.policy import Hours
from engine.access.keys import Principal
from engine.approvals import claims
from engine.approvals.decisions import Submission
from engine.approvals.measures import Window, review_measures
from engine.approvals.model import ApprovalRequest
from engine.approvals.timers import DueRequest, fire
from engine.queues.report import throttled_since
from engine.runs.model import Cancellation
from engine.runs.runs import get_run
from tests.conftest import TRIALS, People, Site
from tests.engines import FIN, TENANT, Bench, fresh_bench

MIA = Principal("key:mia", frozenset({"reviewer"}), frozenset({"manager"}), TENANT)
SINCE = datetime.now(UTC) - timedelta(days=30)


async def asked(bench: Bench, number: int, *, ago_s: float) -> ApprovalRequest:
    """A request that has waited for so long."""
    run = await bench.accept({"case": f"case {number}", "number": number})
    await bench.go_on()
    request = await bench.request_of(run)
    waited = timedelta(seconds=ago_s)
    await bench.rows("UPDATE approval SET requested_at = requested_at - %s WHERE id = %s", waited, request.id)
    return request


async def decide(bench: Bench, request: ApprovalRequest, said: str, who: Principal = FIN, **more: Any) -> None:
    await bench.engine.answers.decide(request.id, Submission(said, **more), who)  # type: ignore[arg-type]  # a word


async def after_a_look(bench: Bench, request: ApprovalRequest, seconds: int, said: str, **more: Any) -> None:
    """Claimed, looked at for so long, decided."""
    async with bench.engine.database.transaction() as conn:
        await claims.claim(conn, request.id, FIN, seconds=900)
    looked = timedelta(seconds=seconds)
    await bench.rows("UPDATE approval SET claimed_at = claimed_at - %s WHERE id = %s", looked, request.id)
    await decide(bench, request, said, **more)


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    """A queue with some history; nothing that was decided is carried out."""
    async with fresh_bench(postgres, folder, registry=TRIALS) as made_bench:
        bench = replace(made_bench, workflow="gate")
        ages = {11: 100, 12: 300, 13: 500, 501: 700, 502: 900, 14: 1000, 15: 50, 16: 60, 17: 40}
        made = {number: await asked(bench, number, ago_s=age) for number, age in ages.items()}
        await after_a_look(bench, made[11], 20, "approve")
        await after_a_look(bench, made[12], 40, "reject", reason_code="wrong_amount")
        await decide(bench, made[13], "edit", tool="counter.add", args={"case": "case 13", "number": 19})
        for who in (MIA, FIN):
            await decide(bench, made[501], "approve", who)
        await decide(bench, made[502], "approve", MIA)
        await decide(bench, made[502], "reject", reason_code="other")
        await bench.rows("UPDATE approval SET due_at = now(), expires_at = now() WHERE id = %s", made[15].id)
        async with bench.engine.database.transaction() as conn:
            late = DueRequest(made[15].id, TENANT, made[15].thread_id, datetime.now(UTC))
            assert "expired" in await fire(conn, late, bench.wake_ups)
        async with bench.engine.database.transaction() as conn:
            run = await get_run(conn, made[16].run_id, tenant=TENANT)
        await bench.engine.intake.cancel(run, Cancellation("key:ada"))
        await decide(bench, made[17], "approve")
        long_ago = "decided_at = decided_at - interval '31 days', requested_at = requested_at - interval '32 days'"
        await bench.rows(f"UPDATE approval SET {long_ago} WHERE id = %s", made[17].id)
        await bench.rows("UPDATE approval_vote SET at = at - interval '31 days' WHERE request_id = %s", made[17].id)
        yield bench


async def measured(bench: Bench, hours: Hours | None = None, **where: Any) -> dict[str, Any]:
    queues = {"trials": hours} if hours else {}
    async with bench.engine.database.reading() as conn:
        return await review_measures(conn, Window(**{"tenant": TENANT, "since": SINCE} | where), queues)


async def test_a_queue_tells_what_was_asked_and_how_it_ended(bench: Bench) -> None:
    [queue] = (await measured(bench))["queues"]

    assert (queue["queue"], queue["asked"], queue["decided"]) == ("trials", 8, 5)
    assert queue["decisions"] == {
        "approve": 2,
        "edit": 1,
        "reject": 2,
        "respond": 0,
        "expired": 1,
        "cancelled": 1,
        "superseded": 0,
    }
    assert (queue["breached"], queue["breach_rate"]) == (1, pytest.approx(1 / 6, abs=1e-3))
    assert queue["reason_codes"] == {"other": 1, "wrong_amount": 1}
    assert queue["edited_arguments"] == {"counter.add.number": 1}


async def test_times_are_those_that_people_took(bench: Bench) -> None:
    [queue] = (await measured(bench))["queues"]

    assert queue["time_to_decision_s"]["p50"] == pytest.approx(500, abs=15)
    assert queue["time_to_decision_s"]["p95"] == pytest.approx(860, abs=15)
    assert (queue["depth"], queue["overdue"]) == (1, 0)
    assert queue["oldest_s"] == pytest.approx(1000, abs=15)


async def test_in_a_queue_that_closes_review_time_is_told_beside_it(bench: Bench) -> None:
    always = Hours("UTC", opens="00:00", closes="24:00", days=tuple(range(7)))
    today = datetime.now(UTC).date()
    closed = replace(always, closed_on=tuple((today - timedelta(days=n)).isoformat() for n in range(3)))

    [unclosed], [open_], [shut] = [(await measured(bench, hours))["queues"] for hours in (None, always, closed)]

    assert unclosed["review_time_to_decision_s"] is None
    assert open_["review_time_to_decision_s"] == open_["time_to_decision_s"]
    assert shut["review_time_to_decision_s"] == {"p50": 0.0, "p95": 0.0}


async def test_the_time_in_which_a_queue_took_nothing_is_told_as_far_as_the_window_goes(bench: Bench) -> None:
    period = "INSERT INTO queue_throttle (tenant, queue, cause, since, until) VALUES (%s, %s, 'pause', %s, %s)"
    now = datetime.now(UTC)
    await bench.rows(period, TENANT, "trials", SINCE - timedelta(days=2), SINCE - timedelta(days=1))
    await bench.rows(period, TENANT, "trials", SINCE - timedelta(seconds=60), SINCE + timedelta(seconds=40))
    await bench.rows(period, TENANT, "trials", now - timedelta(seconds=20), None)
    await bench.rows(period, "another", "trials", now - timedelta(seconds=500), None)

    async with bench.engine.database.reading() as conn:
        found = await throttled_since(conn, SINCE, tenant=TENANT)

    assert found == {"trials": pytest.approx(60, abs=3)}


async def test_times_to_decision_are_counted_for_prometheus(bench: Bench) -> None:
    def sample(what: str) -> float:
        return REGISTRY.get_sample_value(f"gatehouse_review_seconds_{what}", {"queue": "trials"}) or 0.0

    before = sample("count"), sample("sum")

    whole, half = await asked(bench, 18, ago_s=70), await asked(bench, 503, ago_s=70)
    for request in (whole, half):
        await decide(bench, request, "approve")

    assert sample("count") - before[0] == 1, "a vote that decides nothing is no decision"
    assert sample("sum") - before[1] == pytest.approx(70, abs=10)
    for request in (whole, half):
        await bench.rows("DELETE FROM approval WHERE thread_id = %s", request.thread_id)


async def test_people_agree_when_all_who_spoke_said_the_same(bench: Bench) -> None:
    [queue] = (await measured(bench))["queues"]

    assert queue["agreement"] == {"requests": 2, "agreed": 1, "share": 0.5}


async def test_a_person_is_told_by_what_they_said_and_how_long_they_looked(bench: Bench) -> None:
    fin, mia = (await measured(bench))["reviewers"]

    assert (fin["by"], fin["decided"], fin["timed"]) == ("key:fin", 5, 2)
    assert fin["decisions"] == {"approve": 2, "edit": 1, "reject": 2, "respond": 0}
    assert fin["seconds_per_decision"]["p50"] == pytest.approx(30, abs=3)
    assert (mia["by"], mia["decided"], mia["seconds_per_decision"]["p50"]) == ("key:mia", 2, None)


async def test_figures_are_of_one_tenant_and_of_what_was_asked_for(bench: Bench) -> None:
    nothing: dict[str, Any] = {"queues": [], "reviewers": []}

    for where in ({"tenant": "another"}, {"queue": "another"}, {"workflow": "question"}):
        found = await measured(bench, **where)
        assert {name: found[name] for name in nothing} == nothing
    assert [row["by"] for row in (await measured(bench, by="key:mia"))["reviewers"]] == ["key:mia"]
    assert (await measured(bench, since=SINCE - timedelta(days=30)))["queues"][0]["asked"] == 9


@pytest.mark.parametrize(("who", "status"), [("ada", 403), ("fin", 200), ("olu", 200)])
async def test_reviewers_see_their_own_figures_and_operators_everybodys(
    trial_url: str, trial_people: People, who: str, status: int
) -> None:
    async with httpx.AsyncClient(base_url=trial_url, headers={"x-api-key": getattr(trial_people, who)}) as http:
        reply = await http.get("/stats/reviews")
        naive = await http.get("/stats/reviews", params={"since": "2026-01-01T00:00:00"})
        others = {(await http.get(f"/stats/{what}")).status_code for what in ("outcomes", "costs", "stages")}

    assert (reply.status_code, naive.status_code) == (status, status if status == 403 else 422)
    assert others == {status}
    if who == "fin":
        assert {row["by"] for row in reply.json()["reviewers"]} <= {"key:fin"}


def test_measures_by_command(
    trial_url: str, trial_site: Site, trial_people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in trial_site.environment(GATEHOUSE_URL=trial_url, GATEHOUSE_API_KEY=trial_people.olu).items():
        monkeypatch.setenv(name, value)

    done = [CliRunner().invoke(app, ["approvals", "stats", *more]) for more in ([], ["--json", "--days", "1"])]

    assert [result.exit_code for result in done] == [0, 0]
    assert '"reviewers"' in done[1].stdout


@pytest.mark.parametrize(
    ("seconds", "read"), [(None, ""), (40, "40 s"), (720, "12 min"), (12_600, "3.5 h"), (172_800, "2.0 d")]
)
def test_durations_are_read_by_people(seconds: float | None, read: str) -> None:
    assert duration(seconds) == read
