"""ASI10, rogue agents: an agent that behaves as it must not is stopped at once, wherever it is, by one person."""

from dataclasses import replace

import httpx
import pytest

from api.limits import TokenBody, introspect
from contracts.errors import Forbidden, SwitchedOff
from contracts.policy import Cap
from engine.access.keys import Principal
from engine.audit import audit
from engine.gateway.limits import Alarms
from engine.limits.alarms import AlarmTerms
from engine.limits.switches import Scope, Switch, switch_off, switch_on
from engine.limits.terms import LimitTerms
from tests.engines import TENANT, Bench, refund_requests
from tests.limits import REFUND, problem_of, reading

pytestmark = pytest.mark.owasp

_OPERATES = frozenset({"operator"})
OLU, ODA = Principal("key:olu", _OPERATES, frozenset(), TENANT), Principal("key:oda", _OPERATES, frozenset(), TENANT)
BILLING = Principal("key:billing", frozenset({"caller"}), frozenset(), TENANT)


async def kill(bench: Bench, scope: Scope, name: str) -> Switch:
    async with bench.engine.database.transaction() as conn:
        return await switch_off(conn, scope, name, OLU, reason="It went rogue.")


async def on(bench: Bench, switch: Switch, by: Principal) -> Switch:
    async with bench.engine.database.transaction() as conn:
        return await switch_on(conn, switch.id, by, reason="It was looked into.")


async def switches_told(bench: Bench) -> list[str]:
    async with bench.engine.database.reading() as conn:
        return [link.record["event"] for link in await audit.chain(conn, f"switches:{TENANT}")]


@pytest.mark.parametrize("scope", ["tenant", "workflow", "run", "tool"])
async def test_after_a_kill_even_what_was_approved_is_not_done(bench: Bench, scope: Scope) -> None:
    run, request = await bench.parked_case()
    leg = await bench.approve(run)
    names = {"tenant": TENANT, "workflow": run.workflow, "run": run.case_id, "tool": REFUND.name}

    await kill(bench, scope, names[scope])
    await bench.go_on()

    codes = [data.get("code") for event, data in await bench.events(leg) if event == "call.refused"]
    assert codes == ["tool_switched_off" if scope == "tool" else "switched_off"]
    assert refund_requests(bench, str(request.args["account_id"])) == 0
    assert (await switches_told(bench))[-1] == "switch.off"


async def test_a_capability_that_is_under_way_no_longer_counts_after_a_kill(bench: Bench) -> None:
    heard: list[TokenBody] = []

    async def hear(request: httpx.Request) -> None:
        heard.append(TokenBody(token=request.headers["authorization"].removeprefix("Bearer ")))

    systems = bench.engine.carrier.systems
    transport = httpx.ASGITransport(bench.worlds["billing"], raise_app_exceptions=False)
    systems.use(
        "billing", httpx.AsyncClient(transport=transport, base_url="http://billing", event_hooks={"request": [hear]})
    )
    run, _ = await bench.parked_case()
    before = [(await introspect(token, bench.engine, BILLING)).active for token in heard]

    await kill(bench, "run", run.case_id)
    after = [(await introspect(token, bench.engine, BILLING)).active for token in heard]
    systems.use("billing", httpx.AsyncClient(transport=transport, base_url="http://billing"))

    assert (set(before), set(after), bool(heard)) == ({True}, {False}, True)


async def test_one_stops_it_and_two_let_it_go_on(bench: Bench) -> None:
    switch, told = await kill(bench, "workflow", "billing_dispute"), await switches_told(bench)

    await on(bench, switch, OLU)
    with pytest.raises(Forbidden):
        await on(bench, switch, OLU)
    with pytest.raises(SwitchedOff):
        await bench.open_case()
    agreed = await on(bench, switch, ODA)
    run, request = await bench.parked_case()
    await bench.approve(run)
    await bench.go_on()

    assert (agreed.off, bench.refunds(str(request.args["account_id"]))) == (False, [25_000])
    assert (await switches_told(bench))[len(told) :] == ["switch.on_asked", "switch.on"]


async def test_who_is_refused_again_and_again_is_put_in_quarantine_and_others_work_on(bench: Bench) -> None:
    rogue = with_alarm(bench.offering(reading(["AC-1001"] * 2, case=Cap(tool_calls=1))), AlarmTerms(3, quarantine=True))
    known = len(await switches_told(bench))

    ended = [await problem_of(rogue, await rogue.played({"account_id": "-"})) for _ in range(3)]
    with pytest.raises(SwitchedOff):
        await rogue.played({"account_id": "-"})
    run, request = await bench.parked_case()
    await bench.approve(run)
    await bench.go_on()

    assert ended == ["budget_exceeded"] * 3
    assert sorted((await switches_told(bench))[known:]) == ["alarm.raised", "switch.off"]
    assert bench.refunds(str(request.args["account_id"])) == [25_000]


def with_alarm(bench: Bench, terms: AlarmTerms) -> Bench:
    carrier, alarms = bench.engine.carrier, Alarms(LimitTerms(alarms=terms))
    controls = tuple(alarms if control.name == alarms.name else control for control in carrier.controls)
    return replace(bench, engine=replace(bench.engine, carrier=replace(carrier, controls=controls)))
