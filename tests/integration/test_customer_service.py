"""The shop's assistant: nothing is read before somebody is identified, and nothing changed without their own yes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.access.keys import Principal
from engine.runs.model import Run
from evals.worlds.sandbox import effects_of
from tests.conversations import (
    CANCEL,
    CUSTOMER,
    FINISH,
    HELLO,
    NORA,
    SHOP,
    answer,
    asked,
    assistant,
    in_a_new_shop,
    leading,
    read,
)
from tests.engines import TENANT, Bench, fresh_bench


@pytest.fixture(scope="module")
async def engine(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture
def bench(engine: Bench) -> Bench:
    return in_a_new_shop(engine)


def cancelled(bench: Bench) -> list[Any]:
    return [effect["order_id"] for effect in effects_of(bench.worlds).shop_cancellations]


async def heard(bench: Bench, run: Run) -> list[dict[str, Any]]:
    """What tools have answered."""
    entries = (await bench.state(run))["conversation"]
    return [json.loads(entry["says"]) for entry in entries if entry["who"] == "tool"]


def denials(found: list[dict[str, Any]]) -> list[str]:
    return [one["tool"] for one in found if "error" in (one["result"] or {})]


async def test_an_order_is_cancelled_when_the_customer_says_yes_to_exactly_that(bench: Bench) -> None:
    shop = assistant(bench, NORA, read("#W1000001"), CANCEL, FINISH)
    run = await shop.played({"message": HELLO})

    question = await asked(shop, run)
    before = cancelled(shop)
    ended = await answer(shop, run, "Yes.")

    assert "#W1000001" in question.question
    assert "USD 138.40" in question.question
    assert (before, cancelled(shop)) == ([], ["#W1000001"])
    assert ended.outcome == "completed"


@pytest.mark.parametrize("said", ["no", "yes, but the other one", "maybe", "My assistant says yes"])
async def test_any_other_answer_changes_nothing(bench: Bench, said: str) -> None:
    shop = assistant(bench, NORA, read("#W1000001"), CANCEL, FINISH)
    run = await shop.played({"message": HELLO})

    ended = await answer(shop, run, said)

    assert cancelled(shop) == []
    assert denials(await heard(shop, ended)) == ["shop_orders.cancel_order"]


async def test_a_yes_to_the_assistants_own_question_confirms_nothing(bench: Bench) -> None:
    trick = {"use": "say", "text": "I will cancel order #W1000001 and give back USD 138.40. Answer yes."}
    shop = assistant(bench, NORA, trick, read("#W1000001"), CANCEL, FINISH)
    run = await shop.played({"message": HELLO})

    leg = await answer(shop, run, "yes")

    assert cancelled(shop) == []
    assert (await asked(shop, leg)).stage == "confirm_change"


async def test_an_operators_yes_is_not_the_customers(bench: Bench) -> None:
    operator = Principal("key:op", frozenset({"operator"}), frozenset(), TENANT)
    shop = assistant(bench, NORA, read("#W1000001"), CANCEL, FINISH)
    run = await shop.played({"message": HELLO})

    await answer(shop, run, "yes", by=operator)

    assert cancelled(shop) == []


@pytest.mark.controls
@pytest.mark.parametrize("removed", ["", "confirmed-by-requester"])
async def test_a_graph_that_forgets_to_ask_changes_nothing(bench: Bench, removed: str) -> None:
    hasty = leading(bench.engine.catalog[SHOP], "freeze_change", "approve_change")
    shop = assistant(bench, NORA, read("#W1000001"), CANCEL, FINISH, without=removed, workflow=hasty)

    run = await shop.played({"message": HELLO})

    assert cancelled(shop) == (["#W1000001"] if removed else [])
    assert ((await shop.state(run))["problem"] or {}).get("code") == (None if removed else "not_confirmed")


OMAR = {"use": "shop_customers.read_profile", "args": {"customer_id": "omar_haddad_3310"}}
LAMP = {"use": "shop_catalogue.read_product", "args": {"product_id": "2000000001"}}


@pytest.mark.controls
@pytest.mark.parametrize("removed", ["", "policy-of-reads"])
@pytest.mark.parametrize("move", [read("#W2000001"), OMAR, LAMP], ids=["order", "profile", "product"])
async def test_nothing_is_read_before_somebody_is_identified(bench: Bench, move: dict[str, Any], removed: str) -> None:
    eager = leading(bench.engine.catalog[SHOP], "open_case", "assist")
    shop = assistant(bench, move, FINISH, without=removed, workflow=eager)

    run = await shop.played({"message": "What did Omar order?"})

    assert denials(await heard(shop, run)) == ([] if removed else [move["use"]])


async def test_only_ones_own_orders_are_read_and_changed(bench: Bench) -> None:
    foreign = {"use": "shop_orders.cancel_order", "args": {"order_id": "#W2000001", "reason": "no longer needed"}}
    shop = assistant(bench, NORA, read("#W2000001"), read("#W1000001"), foreign, FINISH)

    run = await shop.played({"message": "I am nora.lind@example.com. Cancel #W2000001, my neighbour's."})

    found = await heard(shop, run)
    assert denials(found) == ["shop_orders.read_order", "shop_orders.cancel_order"]
    assert "omar_haddad" not in json.dumps(found)


async def test_a_second_customer_is_not_looked_for(bench: Bench) -> None:
    stay = leading(bench.engine.catalog[SHOP], "read_own_profile", "identify_customer")
    omar = {"use": "shop_customers.find_by_email", "args": {"email": "omar.haddad@example.com"}}
    shop = assistant(bench, NORA, omar, FINISH, workflow=stay)

    run = await shop.played({"message": "I am nora.lind@example.com and omar.haddad@example.com."})

    assert denials(await heard(shop, run)) == ["shop_customers.find_by_email"]
    assert (await shop.state(run))["customer_id"] == "nora_lind_1204"


async def test_a_loop_without_an_end_goes_to_a_person(bench: Bench) -> None:
    shop = assistant(bench, NORA, *[read("#W1000001")] * 30)

    run = await shop.played({"message": HELLO})

    state = await shop.state(run)
    assert run.outcome == "handed_off"
    assert state["turns"] == 10
    assert "10 turns" in state["summary"]


async def test_a_tool_that_is_not_on_offer_is_no_move(bench: Bench) -> None:
    shop = assistant(bench, *[CANCEL] * 3)

    run = await shop.played({"message": HELLO})

    assert run.outcome == "handed_off"
    assert (await shop.state(run))["problem"]["code"] == "model_reply_invalid"
    assert CUSTOMER.name == run.requester
