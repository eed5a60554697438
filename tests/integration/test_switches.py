"""Kill switches over HTTP and from the command line: one operator stops, two different ones let it go on."""

import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.limits import TokenBody, introspect
from contracts.errors import Forbidden, NotFound, SwitchedOff
from engine.access.keys import Principal
from engine.gateway.capability import OnBehalf
from engine.gateway.outbox import Outbox
from engine.limits.switches import Scope, Switch, switch_off, switch_on, switches
from nodes.effect import carries_out
from tests.conftest import ROOT, People, Site
from tests.effects import System, carrying_out, effect_of
from tests.engines import TENANT, Bench, fresh_bench
from trials import counter

OPERATORS = frozenset({"operator"})
OLU, ODA = Principal("key:olu", OPERATORS, frozenset(), TENANT), Principal("key:oda", OPERATORS, frozenset(), TENANT)
STRANGER = Principal("key:stranger", OPERATORS, frozenset(), "elsewhere")


@pytest.fixture(scope="module")
async def whole(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture
async def bench(whole: Bench) -> Bench:
    await whole.rows("TRUNCATE kill_switch")
    return whole


async def off(bench: Bench, scope: Scope, name: str, by: Principal = OLU) -> Switch:
    async with bench.engine.database.transaction() as conn:
        return await switch_off(conn, scope, name, by, reason="a test")


async def on(bench: Bench, switch: Switch, by: Principal) -> Switch:
    async with bench.engine.database.transaction() as conn:
        return await switch_on(conn, switch.id, by, reason="a test")


async def test_it_takes_two_to_switch_on_again(bench: Bench) -> None:
    switch = await off(bench, "workflow", "trial")

    asked = await on(bench, switch, OLU)
    with pytest.raises(Forbidden, match="somebody else"):
        await on(bench, switch, OLU)
    agreed = await on(bench, switch, ODA)

    assert (asked.off, asked.on_asked_by) == (True, OLU.name)
    assert (agreed.off, agreed.on_by) == (False, ODA.name)


async def test_who_stops_it_again_meanwhile_wins(bench: Bench) -> None:
    switch = await off(bench, "workflow", "trial")
    await on(bench, switch, OLU)

    again = await off(bench, "workflow", "trial", ODA)
    asked = await on(bench, switch, ODA)

    assert (again.id, again.on_asked_by, asked.off) == (switch.id, None, True)


async def test_a_switch_of_another_tenant_is_none(bench: Bench) -> None:
    switch = await off(bench, "tenant", TENANT)

    with pytest.raises(NotFound):
        await on(bench, switch, STRANGER)

    async with bench.engine.database.reading() as conn:
        assert await switches(conn, tenant=STRANGER.tenant, all_=True) == []


@pytest.mark.parametrize(("scope", "name"), [("tenant", TENANT), ("workflow", "billing_dispute")])
async def test_what_is_switched_off_takes_no_new_run(bench: Bench, scope: Scope, name: str) -> None:
    await off(bench, scope, name)

    with pytest.raises(SwitchedOff):
        await bench.open_case()


async def test_what_stands_in_the_outbox_is_not_sent_while_its_tool_is_off(bench: Bench) -> None:
    system = System()
    system.join(bench)
    trial = bench.offering(carrying_out(counter.announce, carries_out(counter.announce, into="receipt")))
    run = await trial.played({"account_id": "c"})
    switch = await off(bench, "tool", counter.announce.name)
    outbox = Outbox(trial.engine.database, trial.engine.catalog, trial.engine.carrier.systems)

    while_off = await outbox.deliver_due()
    await on(bench, switch, OLU)
    await on(bench, switch, ODA)
    await bench.rows("UPDATE effect SET due_at = now() WHERE run_id = %s", run.id)
    after = await outbox.deliver_due()

    assert (while_off, after, len(system.acts)) == (0, 1, 1)
    assert (await effect_of(trial, run))["attempt"] == 1


async def test_a_token_that_is_under_way_no_longer_counts_once_its_run_is_off(bench: Bench) -> None:
    run = await bench.open_case()
    credentials = bench.engine.carrier.systems.credentials
    assert credentials
    behalf = OnBehalf("key:ada", TENANT, run.actor, run.version, run.id, "approval:1", "d" * 64)
    request = httpx.Request("POST", "http://counter/presses", json={})
    token = credentials.mint.capability(behalf, counter.press, request, writes=True)
    anybody = Principal("key:counter", frozenset({"caller"}), frozenset(), TENANT)

    before = await introspect(TokenBody(token=token), bench.engine, anybody)
    foreign = await introspect(TokenBody(token=token), bench.engine, STRANGER)
    await off(bench, "run", run.id)
    after = await introspect(TokenBody(token=token), bench.engine, anybody)
    forged = await introspect(TokenBody(token=token[:-4] + "AAAA"), bench.engine, anybody)

    assert [each.active for each in (before, foreign, after, forged)] == [True, False, False, False]


async def test_over_http_only_an_operator_stops_what_there_is(trial_url: str, trial_people: People) -> None:
    bodies = [
        ("ada", {"scope": "workflow", "name": "gate"}, 403),
        ("fin", {"scope": "workflow", "name": "gate"}, 403),
        ("olu", {"scope": "workflow", "name": "nothing"}, 404),
        ("olu", {"scope": "tool", "name": "nothing.at_all"}, 404),
        ("olu", {"scope": "run", "name": str(uuid.uuid4())}, 404),
        ("olu", {"scope": "planet", "name": "x"}, 422),
    ]
    async with httpx.AsyncClient(base_url=trial_url) as http:
        for who, body, status in bodies:
            headers = {"x-api-key": getattr(trial_people, who)}
            reply = await http.post("/switches", json={**body, "reason": "x"}, headers=headers)
            assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")


def test_operators_stop_and_look_from_the_command_line(trial_url: str, trial_site: Site, trial_people: People) -> None:
    def gatehouse(*words: str) -> Any:
        command = [sys.executable, "-m", "cli", *words, "--json", "--url", trial_url, "--key", trial_people.olu]
        environment = trial_site.environment()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    run = {"assistant_id": "three_stages", "input": {"text": "mice"}, "on_completion": "keep"}
    accepted = httpx.post(f"{trial_url}/runs", json=run, headers={"x-api-key": trial_people.olu}).json()

    made = gatehouse("kill", "run", accepted["run_id"], "--reason", "a test")
    listed = gatehouse("switches", "list")
    asked = gatehouse("switches", "on", str(made["id"]), "--reason", "a test")

    assert (made["off"], made["id"] in [switch["id"] for switch in listed]) == (True, True)
    assert (asked["off"], asked["on_asked_by"]) == (True, "key:olu")
    assert gatehouse("budgets", "show") == []
