"""What somebody might when they asked is not enough: their rights are looked up where the call is entered."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.access.keys import create_key
from engine.gateway.controls import RightsOfRequester
from engine.runs.model import Run
from tests.engines import Bench, fresh_bench, refused

pytestmark = pytest.mark.controls

GONE = {
    "revoked": "UPDATE api_key SET revoked_at = now() WHERE name = 'ada'",
    "expired": "UPDATE api_key SET expires_at = now() WHERE name = 'ada'",
    "role removed": "UPDATE api_key SET roles = '{reviewer}' WHERE name = 'ada'",
    "scope removed": "UPDATE api_key SET scopes = '{billing:read}' WHERE name = 'ada'",
    "no scope at all": "UPDATE api_key SET scopes = '{}' WHERE name = 'ada'",
    "moved to another tenant": "UPDATE api_key SET tenant = 'elsewhere' WHERE name = 'ada'",
}
PERSON = """INSERT INTO person (tenant, name, roles, rights_at) VALUES ('default', 'oidc:ada', '{caller}', now())"""
PERSON_GONE = {
    "blocked": "UPDATE person SET blocked_at = now(), blocked_by = 'key:olu'",
    "long not seen": "UPDATE person SET seen_at = now() - interval '31 days'",
    "role removed": "UPDATE person SET roles = '{auditor}'",
    "scope removed": "UPDATE person SET scopes = '{mail:*}'",
}


@pytest.fixture(scope="module")
async def opened(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        async with bench.engine.database.transaction() as conn:
            await create_key(conn, "ada", ["caller"])
        yield bench


@pytest.fixture
async def bench(opened: Bench) -> Bench:
    live = "tenant = 'default', roles = '{caller}', scopes = NULL, revoked_at = NULL, expires_at = NULL"
    await opened.rows(f"UPDATE api_key SET {live} WHERE name = 'ada'")
    await opened.rows("DELETE FROM person")
    return opened


async def approved(bench: Bench) -> tuple[Run, str]:
    """A refund that finance has approved and nobody has made: the leg that would, and whose account it is."""
    run, request = await bench.parked_case()
    return await bench.approve(run), str(request.args["account_id"])


def without_the_control(bench: Bench) -> Bench:
    carrier = bench.engine.carrier
    rest = tuple(control for control in carrier.controls if not isinstance(control, RightsOfRequester))
    return replace(bench, engine=replace(bench.engine, carrier=replace(carrier, controls=rest)))


async def test_somebody_who_still_may_is_served(bench: Bench) -> None:
    leg, account = await approved(bench)
    await bench.rows("UPDATE api_key SET scopes = '{billing:*, mail:*}' WHERE name = 'ada'")

    await bench.go_on()

    assert (await bench.again(leg)).outcome == "completed"
    assert bench.refunds(account) == [25_000]


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
async def test_what_was_taken_away_between_plan_and_act_is_gone(bench: Bench, gone: str) -> None:
    leg, account = await approved(bench)
    await bench.rows(gone)

    await bench.go_on()

    assert await refused(bench, leg) == "rights_missing"
    assert bench.refunds(account) == []


async def test_without_this_control_it_would_be_paid(bench: Bench) -> None:
    leg, account = await approved(bench)
    await bench.rows(GONE["revoked"])

    await without_the_control(bench).go_on()

    assert (await bench.again(leg)).outcome == "completed"
    assert bench.refunds(account) == [25_000]


@pytest.mark.parametrize("gone", PERSON_GONE.values(), ids=PERSON_GONE)
async def test_so_it_is_for_people_who_sign_in(bench: Bench, gone: str) -> None:
    await bench.rows(PERSON)
    leg, account = await approved(bench)
    await bench.rows("UPDATE run SET requester = 'oidc:ada' WHERE thread_id = %s", leg.thread_id)
    await bench.rows(gone)

    await bench.go_on()

    assert await refused(bench, leg) == "rights_missing"
    assert bench.refunds(account) == []


async def test_a_name_that_nobody_has_gets_nothing(bench: Bench) -> None:
    leg, account = await approved(bench)
    await bench.rows("UPDATE run SET requester = 'key:nobody' WHERE thread_id = %s", leg.thread_id)

    await bench.go_on()

    assert await refused(bench, leg) == "rights_missing"
    assert bench.refunds(account) == []
