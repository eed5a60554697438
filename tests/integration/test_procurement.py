"""Procurement over HTTP and in one process: quorum, split orders at one moment, reservations and what frees them."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.access.keys import Principal, create_key
from engine.gateway.outcomes import EffectFilter, Resolution, search_effects
from engine.gateway.transacting import act
from engine.opening import open_database
from engine.runs.model import Cancellation, Run
from engine.worker.admission import cancel_now
from evals.worlds.faults import Fault
from evals.worlds.sandbox import effects_of
from tests.cases import client_of
from tests.conftest import People, Site
from tests.engines import TENANT, Bench, fresh_bench
from tests.integration.test_decisions import decide, request_of
from tools.budgets import Reserved, ReserveRequest, set_aside

PROCUREMENT = "procurement"
MAX = Principal("key:max", frozenset({"reviewer"}), frozenset({"manager"}), TENANT)
OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)
LAPTOPS = "2 laptops 14 inch from Kestrel Computing"
PAPER = "20 boxes of copy paper from Bramley"
LUNCH = "5 lunch buffets from Lumen Catering"
TODAY = "2026-11-02"

Buyer = Callable[[], Awaitable[str]]


@pytest.fixture
def buyer(site: Site, people: People) -> Buyer:
    """Makes the key of somebody who has never bought anything."""

    async def make() -> str:
        async with open_database(site.settings(), lambda _: None) as database, database.transaction() as conn:
            return await create_key(conn, f"buyer-{uuid.uuid4().hex[:8]}", ["caller"], [])

    return make


async def ask_for(url: str, key: str, request: str, cost_centre: str = "CC-4200") -> tuple[str, Any]:
    client = client_of(url, key)
    thread = (await client.threads.create())["thread_id"]
    wish = {"request": request, "cost_centre": cost_centre}
    return thread, await client.runs.wait(thread, PROCUREMENT, input=wish)


def orders_of(worlds: Path, thread: str) -> list[int]:
    """Amounts, in cents, that were really ordered for a case."""
    return [int(str(order["amount_cents"])) for order in effects_of(worlds).orders if order["reference"] == thread]


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(300):
        if happened():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen within 15 s")


async def test_two_of_three_with_finance_order_what_is_above_the_second_limit(
    url: str, http: httpx.AsyncClient, site: Site, people: People, buyer: Buyer
) -> None:
    thread, _ = await ask_for(url, await buyer(), "10 laptops 14 inch from Kestrel Computing")
    request = await request_of(http, people.fin, thread)

    first = (await decide(http, people.mia, request, type="approve")).json()
    before = orders_of(site.worlds, thread)
    second = (await decide(http, people.fin, request, type="approve")).json()
    result = await client_of(url, people.fin).runs.join(thread, second["run_id"])

    assert (first["decision"], before) == (None, [])
    assert (result["outcome"], orders_of(site.worlds, thread)) == ("completed", [1_240_000])


async def test_of_split_orders_at_one_moment_only_the_first_is_automatic(url: str, site: Site, buyer: Buyer) -> None:
    split = await buyer()

    asked = await asyncio.gather(*(ask_for(url, split, PAPER, "CC-4100") for _ in range(5)))

    outcomes = Counter(result.get("outcome", "waits") for _, result in asked)
    assert outcomes == {"completed": 1, "waits": 4}
    assert [amount for thread, _ in asked for amount in orders_of(site.worlds, thread)] == [43_800]


async def test_of_two_orders_at_one_moment_the_budget_covers_one(url: str, site: Site, buyer: Buyer) -> None:
    keys = [await buyer(), await buyer()]

    asked = await asyncio.gather(*(ask_for(url, key, LUNCH, "CC-4300") for key in keys))

    assert sorted(result["outcome"] for _, result in asked) == ["completed", "rejected"]
    assert [amount for thread, _ in asked for amount in orders_of(site.worlds, thread)] == [9_250]


async def test_an_order_that_is_taken_back_is_cancelled_and_its_money_is_free(
    url: str, http: httpx.AsyncClient, site: Site, people: People, buyer: Buyer
) -> None:
    key = await buyer()
    thread, _ = await ask_for(url, key, PAPER, "CC-4100")
    headers = {"x-api-key": people.olu}
    done = (await http.get("/effects", params={"thread_id": thread, "state": "done"}, headers=headers)).json()
    (ordered,) = (one["key"].removeprefix("approval:") for one in done if one["tool"] == "purchasing.place_order")

    body = {"reason": "the paper is for somebody else"}
    taken_back = await http.post(f"/approvals/{ordered}/undo", json=body, headers=headers)
    await until(lambda: thread in [c["reference"] for c in effects_of(site.worlds).cancellations])
    again, result = await ask_for(url, key, PAPER, "CC-4100")

    assert taken_back.status_code == 200
    assert (result["outcome"], orders_of(site.worlds, again)) == ("completed", [43_800])


@pytest.mark.parametrize("named", ["Nordwind Handels", "Polar Trade Services"])
async def test_a_sanctioned_supplier_is_denied_and_nobody_is_asked(
    url: str, http: httpx.AsyncClient, site: Site, people: People, buyer: Buyer, named: str
) -> None:
    thread, result = await ask_for(url, await buyer(), f"2 monitors 27 inch from {named}")
    asked = await http.get("/approvals", params={"thread_id": thread}, headers={"x-api-key": people.fin})

    assert (result["outcome"], asked.json(), orders_of(site.worlds, thread)) == ("rejected", [], [])
    assert "sanctions list" in result["summary"]


@pytest.fixture(scope="module")
async def shop(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield replace(bench, workflow=PROCUREMENT)


async def on_day(shop: Bench, day: str, request: str = LAPTOPS, cost_centre: str = "CC-4200") -> Run:
    """A case that is opened on this day, after everything that can happen has happened."""
    engine = replace(shop.engine, carrier=replace(shop.engine.carrier, opened_on=day))
    return await replace(shop, engine=engine).played({"request": request, "cost_centre": cost_centre})


async def approved(shop: Bench, run: Run) -> Run:
    request = await shop.request_of(run)
    leg = await shop.engine.answers.resume(run.thread_id, {str(request.interrupt_id): {"type": "approve"}}, MAX)
    await shop.go_on()
    return await shop.again(leg)


async def book(shop: Bench, cost_centre: str) -> list[dict[str, Any]]:
    """What our own book has of a cost centre."""
    found = await shop.rows("SELECT value FROM tool_record WHERE system = 'budgets' AND key = %s", cost_centre)
    return list(found[0]["value"]["entries"]) if found else []


async def lately(shop: Bench, run: Run) -> int:
    return int((await shop.state(run))["spending"]["lately_cents"])


async def test_reservations_at_one_moment_come_one_after_another(shop: Bench) -> None:
    async def others(number: int) -> int:
        wanted = {"reference": f"case-{number}", "cost_centre": "CC-9999", "requester": "key:ada", "on": TODAY}
        offer = {"supplier_id": "SU-2001", "offer_id": "OF-2001-01", "quantity": 1}
        request = ReserveRequest.model_validate(wanted | offer | {"amount_cents": 1, "currency": "EUR"})
        async with shop.engine.database.transaction() as conn:
            reply = await act(conn, set_aside, request, key=str(number), tenant=TENANT)
        return len(reply.others) if isinstance(reply, Reserved) else -1

    told = await asyncio.gather(*(others(number) for number in range(40)))

    assert sorted(told) == list(range(40))


async def test_a_reservation_of_a_case_that_was_cancelled_lapses(shop: Bench) -> None:
    wanted = "3 whiteboards from Bramley"
    cancelled = await on_day(shop, "2026-01-05", wanted.replace("3", "6"), "CC-4100")
    async with shop.engine.database.transaction() as conn:
        await cancel_now(conn, cancelled, shop.wake_ups, Cancellation("interrupt"))

    week, later = (
        await on_day(shop, "2026-01-12", wanted, "CC-4100"),
        await on_day(shop, "2026-01-13", wanted, "CC-4100"),
    )

    assert (await shop.request_of(cancelled)).status == "cancelled"
    assert await lately(shop, week) == 53_400
    assert await lately(shop, later) == 26_700  # the one that waits, and no longer the cancelled one
    assert cancelled.thread_id not in [entry["reference"] for entry in await book(shop, "CC-4100")]


async def test_a_cancelled_order_no_longer_counts(shop: Bench) -> None:
    ordered = await on_day(shop, TODAY, "5 boxes of copy paper from Sakura Paper", "CC-4400")
    counted = await on_day(shop, TODAY, "6 boxes of copy paper from Sakura Paper", "CC-4400")
    receipt = (await shop.state(ordered))["receipt"]

    cancellation = {"order_id": receipt["order_id"], "reference": ordered.thread_id}
    client = shop.engine.carrier.systems.client("purchasing")
    await client.post("/cancellations", json=cancellation, headers={"Idempotency-Key": "by hand"})
    freed = await on_day(shop, TODAY, "7 boxes of copy paper from Sakura Paper", "CC-4400")

    assert await lately(shop, counted) == 5 * 2_980
    assert await lately(shop, freed) == 6 * 2_980


async def test_a_rejected_order_gives_back_what_it_had_set_aside(shop: Bench) -> None:
    run = await on_day(shop, TODAY)
    before = [entry["reference"] for entry in await book(shop, "CC-4200")]
    request = await shop.request_of(run)

    await shop.engine.answers.resume(run.thread_id, {str(request.interrupt_id): {"type": "reject"}}, MAX)
    await shop.go_on()

    assert run.thread_id in before
    assert run.thread_id not in [entry["reference"] for entry in await book(shop, "CC-4200")]


async def test_an_order_of_unknown_outcome_keeps_its_money_until_somebody_has_found_out(
    postgres: str, folder: Path
) -> None:
    down = {"down": Fault("purchasing.place_order", "acts_then_fails", times=3)}
    async with fresh_bench(postgres, folder, down) as bench:
        shop = replace(bench, workflow=PROCUREMENT)
        run = await approved(shop, await on_day(shop, TODAY))
        held = [entry["status"] for entry in await book(shop, "CC-4200")]
        (order,) = effects_of(shop.worlds).orders
        names = ("order_id", "reference", "supplier_id", "amount_cents", "currency", "placed_on")
        async with shop.engine.database.transaction() as conn:
            (effect,) = await search_effects(conn, EffectFilter(), tenant=TENANT)

        found = Resolution("happened", {name: order[name] for name in names}, "seen")
        _, leg = await shop.engine.answers.settle(effect.call_key, found, OLU)
        await shop.go_on()

        assert (run.outcome, held) == (None, ["reserved"])
        assert leg is not None
        assert (await shop.again(leg)).outcome == "completed"
        assert [entry["status"] for entry in await book(shop, "CC-4200")] == ["spent"]


async def test_stand_ins_order_without_a_model(shop: Bench) -> None:
    run = await on_day(
        shop, TODAY, "We need an espresso machine. Please order one flipchart stand from Bramley.", "CC-4100"
    )

    state = await shop.state(run)

    assert (run.outcome, state["wanted"]["answered_by"]) == ("completed", "stand-in")
    assert (state["match"]["purchase"]["item"], state["receipt"]["amount_cents"]) == ("Flipchart stand", 12_900)
