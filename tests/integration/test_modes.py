"""The autonomy ladder: lowered by one person at once, raised by two, and kept at the next call."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.errors import AlreadyDecided, Forbidden, GatehouseError, InvalidRequest, NotFound
from engine.access.keys import Principal
from engine.audit import audit
from engine.policies import modes
from engine.policies.modes import Mode, Standing
from tests.conftest import People
from tests.engines import TENANT, Bench, fresh_bench

OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)
OPI = replace(OLU, name="key:opi")
REV = Principal("key:rev", frozenset({"reviewer"}), frozenset({"finance"}), TENANT)
ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)


@pytest.fixture(scope="module")
async def house(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture
async def bench(house: Bench) -> Bench:
    """A house in which nobody has changed a mode."""
    await house.rows("WITH wishes AS (DELETE FROM mode_wish) DELETE FROM workflow_mode RETURNING 1")
    return house


async def set_mode(bench: Bench, mode: Mode, by: Principal = OLU) -> Standing:
    async with bench.engine.database.transaction() as conn:
        return await modes.change(conn, bench.workflow, mode, by, reason="a test")


async def decide(bench: Bench, wish: str, by: Principal, *, agreed: bool = True) -> Standing:
    async with bench.engine.database.transaction() as conn:
        return await modes.decide_wish(conn, bench.workflow, wish, by, agreed=agreed, reason="a test")


async def verdicts(bench: Bench, amount_cents: int) -> list[tuple[str, str, str]]:
    """What policy says of the effects of a case that is brought as far as it comes by itself."""
    run = await bench.open_case(amount_cents=amount_cents)
    await bench.go_on()
    rows = await bench.rows(
        "SELECT tool, verdict, why FROM approval WHERE thread_id = %s ORDER BY created_at", run.thread_id
    )
    return [(row["tool"], row["verdict"], row["why"]) for row in rows]


async def refusal(bench: Bench, deed: Any) -> str:
    with pytest.raises(GatehouseError) as refused:
        await deed
    return refused.value.code


async def test_one_person_lowers_a_mode_and_two_raise_it(bench: Bench) -> None:
    assert (await set_mode(bench, "read_only")).mode == "read_only"

    asked = await set_mode(bench, "auto")
    assert (asked.mode, asked.wish and asked.wish.mode) == ("read_only", "auto")
    assert asked.wish
    with pytest.raises(Forbidden, match="four eyes"):
        await decide(bench, asked.wish.id, OLU)
    with pytest.raises(Forbidden):
        await decide(bench, asked.wish.id, ADA)
    with pytest.raises(NotFound):
        await decide(bench, asked.wish.id, replace(REV, tenant="another"))

    raised = await decide(bench, asked.wish.id, REV)

    assert (raised.mode, raised.set_by, raised.wish) == ("auto", "key:rev", None)
    with pytest.raises(AlreadyDecided):
        await decide(bench, asked.wish.id, OPI)


async def test_who_may_not_change_a_mode_does_not(bench: Bench) -> None:
    for by in (ADA, REV):
        with pytest.raises(Forbidden):
            await set_mode(bench, "shadow", by)
    with pytest.raises(InvalidRequest):
        await set_mode(bench, "thresholds")


async def test_a_wish_that_was_refused_or_overtaken_raises_nothing(bench: Bench) -> None:
    first, second = await set_mode(bench, "auto"), await set_mode(bench, "auto", OPI)
    assert first.wish
    assert second.wish
    with pytest.raises(AlreadyDecided):
        await decide(bench, first.wish.id, REV)

    assert (await decide(bench, second.wish.id, REV, agreed=False)).mode == "thresholds"
    third = await set_mode(bench, "auto")
    assert (await set_mode(bench, "shadow")).wish is None
    assert third.wish
    with pytest.raises(AlreadyDecided):
        await decide(bench, third.wish.id, REV)


async def test_each_change_stands_in_a_chain_of_its_own(bench: Bench) -> None:
    await set_mode(bench, "read_only")
    wish = (await set_mode(bench, "thresholds")).wish
    assert wish
    await decide(bench, wish.id, REV)

    async with bench.engine.database.reading() as conn:
        records = [link.record for link in await audit.chain(conn, f"mode:{TENANT}.{bench.workflow}")][-3:]

    said = [(r["event"], r["actor"], r["data"]["to"]) for r in records]
    assert said == [
        ("mode.changed", "key:olu", "read_only"),
        ("mode.asked", "key:olu", "thresholds"),
        ("mode.changed", "key:rev", "thresholds"),
    ]


async def test_in_the_shadow_nothing_is_done_and_what_would_have_been_is_told(bench: Bench) -> None:
    await set_mode(bench, "shadow")

    small, large = [(await verdicts(bench, amount_cents=cents))[0] for cents in (5_000, 25_000)]

    assert (small[1], large[1]) == ("deny", "deny")
    assert "would have said: allow" in small[2]
    assert "would have said: require_approval finance" in large[2]


async def test_where_everything_is_approved_policy_lets_nothing_through(bench: Bench) -> None:
    assert (await verdicts(bench, amount_cents=5_000))[0][1] == "allow"

    await set_mode(bench, "approve_all")

    assert (await verdicts(bench, amount_cents=5_000))[0][1] == "require_approval"


async def test_another_tenant_s_mode_changes_nothing(bench: Bench) -> None:
    await set_mode(bench, "shadow", replace(OLU, tenant="another"))

    assert (await verdicts(bench, amount_cents=5_000))[0][1] == "allow"


@pytest.mark.parametrize(("mode", "refused"), [("read_only", "policy_denied"), ("approve_all", "")])
async def test_what_was_approved_before_is_done_only_where_the_mode_still_lets_it(
    bench: Bench, mode: Mode, refused: str
) -> None:
    run, _ = await bench.parked_case()
    await bench.approve(run)
    await set_mode(bench, mode)

    await bench.go_on()

    codes = [data["code"] for event, data in await bench.events(run) if event == "call.refused"]
    assert codes == ([refused] if refused else [])


async def test_over_http_a_mode_is_shown_asked_for_and_agreed_to(http: httpx.AsyncClient, people: People) -> None:
    path = "/workflows/billing_dispute/mode"
    asked = await http.post(path, json={"mode": "auto", "reason": "r"}, headers={"x-api-key": people.olu})
    wish = asked.json()["wish"]["id"]
    body = {"request_id": wish, "type": "reject", "reason": "r"}

    own = await http.post(f"{path}/decision", json=body, headers={"x-api-key": people.olu})
    other = await http.post(f"{path}/decision", json=body, headers={"x-api-key": people.fin})
    unknown = await http.get("/workflows/nowhere/mode", headers={"x-api-key": people.olu})

    assert (own.status_code, other.json()["mode"], unknown.status_code) == (403, "thresholds", 404)
