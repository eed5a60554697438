"""What is stuck is found, with what to do about it; and whose runs somebody may look at."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.operations.cases import show_run
from engine.operations.differences import differences
from engine.operations.stuck import find_stuck
from engine.operations.why import explain_way
from tests.cases import client_of, parked_case
from tests.conftest import People, Site
from tests.engines import TENANT, Bench, fresh_bench


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder / "inspected") as bench:
        yield bench


async def _stuck(bench: Bench, *, pending_s: float = 30) -> dict[str, dict[str, Any]]:
    async with bench.engine.database.transaction() as conn:
        found = await find_stuck(conn, tenant=TENANT, pending_s=pending_s)
    return {item["run_id"]: item for item in map(lambda item: item | {"run_id": str(item["run_id"])}, found)}


async def test_a_run_that_no_worker_takes_is_stuck_after_a_while(bench: Bench) -> None:
    run = await bench.open_case()
    young, old = await _stuck(bench), await _stuck(bench, pending_s=0)
    await bench.go_on()

    assert run.id not in young
    assert (old[run.id]["kind"], "gatehouse worker" in old[run.id]["do"]) == ("pending", True)
    assert run.id not in await _stuck(bench, pending_s=0)


async def test_a_run_that_waits_its_turn_or_its_time_is_not_stuck(bench: Bench) -> None:
    first = await bench.open_case()
    later = await bench.accept(first.input or {}, thread_id=first.thread_id)
    delayed = await bench.open_case()
    await bench.rows("UPDATE run SET start_at = now() + interval '1 hour' WHERE id = %s", delayed.id)

    found = await _stuck(bench, pending_s=0)

    assert first.id in found
    assert {later.id, delayed.id} & set(found) == set()


async def test_a_run_whose_worker_died_names_the_worker_and_what_to_do(bench: Bench) -> None:
    run = await bench.open_case()
    dead = "status = 'running', lease_owner = 'host-7:41', lease_until = now() - interval '9 s'"
    await bench.rows(f"UPDATE run SET {dead} WHERE id = %s", run.id)

    found = (await _stuck(bench))[run.id]

    assert (found["kind"], "host-7:41" in found["says"], found["for_s"] > 8) == ("orphaned", True, True)


async def test_a_run_held_for_another_version_says_which_and_how_to_move_it(bench: Bench) -> None:
    run = await bench.open_case()
    await bench.rows("UPDATE run SET version = 'old', refused_by = 'new' WHERE id = %s", run.id)

    found = (await _stuck(bench))[run.id]

    assert found["kind"] == "held"
    assert f"gatehouse versions migrate {run.id} --from old --to new" in found["do"]


async def test_a_run_that_kills_its_workers_is_found_before_it_is_given_up(bench: Bench) -> None:
    run = await bench.open_case()
    await bench.rows(
        "UPDATE run SET status = 'running', attempts = 4, lease_until = now() + interval '1 min' WHERE id = %s", run.id
    )

    assert (await _stuck(bench))[run.id]["kind"] == "attempts"


async def test_unknown_effects_and_overdue_requests_are_found(bench: Bench) -> None:
    run, request = await bench.parked_case()
    await bench.rows("UPDATE approval SET due_at = now() - interval '2 h' WHERE id = %s", request.id)
    overdue = (await _stuck(bench))[run.id]
    await bench.approve(run)
    await bench.go_on()
    paid = "thread_id = %s AND tool = 'billing.issue_refund' RETURNING run_id"
    [row] = await bench.rows(f"UPDATE effect SET state = 'unknown' WHERE {paid}", run.thread_id)

    unknown = (await _stuck(bench))[str(row["run_id"])]

    assert (overdue["kind"], "finance" in overdue["says"], request.id in overdue["do"]) == (
        "overdue_approval",
        True,
        True,
    )
    assert (unknown["kind"], "billing.issue_refund" in unknown["says"]) == ("unknown_effect", True)


async def test_another_tenants_trouble_is_not_shown(bench: Bench) -> None:
    run = await bench.open_case()
    async with bench.engine.database.transaction() as conn:
        found = await find_stuck(conn, tenant="another", pending_s=0)

    assert found == []
    assert run.id in await _stuck(bench, pending_s=0)


async def test_why_does_without_checkpoints_that_were_pruned(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    engine = bench.engine
    whole = await explain_way(engine.database, engine.states, run.id, tenant=TENANT)
    oldest = "SELECT checkpoint_id FROM checkpoints WHERE thread_id = %s ORDER BY checkpoint_id LIMIT 4"
    await bench.rows(f"DELETE FROM checkpoints WHERE checkpoint_id IN ({oldest})", run.thread_id)

    pruned = await explain_way(engine.database, engine.states, run.id, tenant=TENANT)
    without = await explain_way(engine.database, None, run.id, tenant=TENANT)

    def stages(way: dict[str, Any]) -> list[tuple[str, list[str]]]:
        return [(each["stage"], each["then"]) for each in way["stages"][:-1]]

    assert stages(whole) == stages(pruned) == stages(without)
    assert all(each["wrote"] is not None for each in whole["stages"])
    assert pruned["stages"][0]["wrote"] is None
    assert all(each["wrote"] is None for each in without["stages"])


async def test_a_case_shows_all_its_legs(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    leg = await bench.approve(run)
    await bench.go_on()

    async with bench.engine.database.transaction() as conn:
        shown = await show_run(conn, run.id, tenant=TENANT)

    assert [str(found["run_id"]) for found in shown["legs"]] == [run.id, leg.id]
    assert (shown["waits"], shown["waits_for"]) == (False, [])


async def test_a_case_that_waits_for_the_outcome_of_an_effect_says_so(bench: Bench) -> None:
    run, _ = await bench.parked_case()
    leg = await bench.approve(run)
    await bench.go_on()
    waits = "UPDATE effect SET state = 'unknown', interrupt_id = 'i1' WHERE thread_id = %s AND effect_class <> 'read'"
    await bench.rows(waits, run.thread_id)
    await bench.rows("UPDATE run SET status = 'interrupted', outcome = NULL WHERE id = %s", leg.id)

    async with bench.engine.database.transaction() as conn:
        shown = await show_run(conn, leg.id, tenant=TENANT)

    assert {(item["kind"], item["asks"]) for item in shown["waits_for"]} >= {
        ("effect", "what became of billing.issue_refund")
    }


PATHS = ("", "/timeline", "/why", "/trace")


@pytest.mark.parametrize("path", PATHS)
async def test_a_case_is_shown_to_its_requester_reviewers_and_operators_alone(
    http: httpx.AsyncClient, url: str, people: People, site: Site, path: str
) -> None:
    thread, _, _ = await parked_case(client_of(url, people.ada), site.worlds)
    run_id = (await client_of(url, people.ada).runs.list(thread))[0]["run_id"]

    answers = {
        name: (await http.get(f"/runs/{run_id}{path}", headers={"x-api-key": getattr(people, name)})).status_code
        for name in ("ada", "ben", "fin", "rex", "olu")
    }
    unknown = await http.get(f"/runs/{uuid.uuid4()}{path}", headers={"x-api-key": people.ada})

    assert answers == {"ada": 200, "ben": 403, "fin": 200, "rex": 200, "olu": 200}
    assert unknown.status_code == 404
    assert (await http.get(f"/runs/{run_id}{path}")).status_code == 401


async def test_callers_find_their_own_runs_and_operators_all(
    http: httpx.AsyncClient, url: str, people: People, site: Site
) -> None:
    await parked_case(client_of(url, people.ada), site.worlds)
    await parked_case(client_of(url, people.ben), site.worlds)

    async def requesters(key: str) -> set[str]:
        found = await http.get("/runs", params={"limit": 1000}, headers={"x-api-key": key})
        return {run["requester"] for run in found.json()}

    assert await requesters(people.ada) == {"key:ada"}
    assert await requesters(people.olu) >= {"key:ada", "key:ben"}
    for key, status in ((people.ada, 403), (people.fin, 403), (people.olu, 200)):
        assert (await http.get("/runs/stuck", headers={"x-api-key": key})).status_code == status
    wrong = await http.get("/runs", params={"status": "sleeping"}, headers={"x-api-key": people.olu})
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", 1, 2)]),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, [("a.1", 2, 3), ("a.2", None, 4)]),
        ({"a": 1}, {}, [("a", 1, None)]),
        ({}, {"a": None}, [("a", None, None)]),
        ({"a": {"b": 1}}, {"a": 5}, [("a", {"b": 1}, 5)]),
    ],
)
def test_differences_are_named_by_their_path(before: Any, after: Any, found: list[tuple[str, Any, Any]]) -> None:
    assert [(d["path"], d["before"], d["after"]) for d in differences(before, after)] == found
