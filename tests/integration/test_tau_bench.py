"""A spread of τ-bench's retail tasks, replayed: skipped where its data does not lie beside the checkout."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from engine.store.scope import nobody
from engine.wiring import Engine
from evals.opening import open_for_evals
from evals.tau_bench.airline import read_airline_tasks, replay_airline
from evals.tau_bench.replay import replay
from evals.tau_bench.report import report_of
from evals.tau_bench.tasks import Task, as_recorded, in_cents, read_tasks
from evals.worlds.airline_data import read_airline
from evals.worlds.retail_data import read_shop
from evals.worlds.whole_records import RecordData

_BESIDE = Path(__file__).parents[3] / "shared" / "data"
RETAIL = Path(os.environ.get("SHARED_DATA") or _BESIDE) / "tau_bench" / "retail"
SPREAD = (*range(0, 500, 42), 24, 81, 214, 349)
"""Some of everything, and each way in which a gift card does not have enough on it."""

pytestmark = pytest.mark.skipif(not RETAIL.is_dir(), reason="no τ-bench data; name it with SHARED_DATA")


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[Engine]:
    async with open_for_evals() as engine:
        yield engine


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return read_tasks(RETAIL)


@pytest.fixture(scope="module")
def shop() -> RecordData:
    return read_shop(RETAIL)


async def test_gold_actions_give_what_is_on_record_and_none_is_denied(
    engine: Engine, tasks: list[Task], shop: RecordData
) -> None:
    with nobody():  # as in the command, which works for no tenant
        results = [(await replay(engine, shop, tasks[number])).as_json() for number in SPREAD]

    report = report_of(json.loads(json.dumps(results)), seconds=0)
    assert report.passed, report.page()
    assert sum(map(len, report.refused.values())) == 5
    assert report.problems == {}


async def test_a_database_that_differs_by_one_sum_is_noticed(
    engine: Engine, tasks: list[Task], shop: RecordData
) -> None:
    task = tasks[0]
    changed = {kind: dict(records) for kind, records in shop.records.items()}
    changed["orders"]["#W2611340"] = changed["orders"]["#W2611340"].replace("536.65", "536.66")

    seen = await replay(engine, replace(shop, records=changed), task)

    assert (seen.observations, seen.same_database, seen.passed) == (1, False, False)


def test_a_reply_that_differs_from_what_is_on_record_is_noticed(tasks: list[Task]) -> None:
    recorded = in_cents(tasks[0].actions[0].observation)
    reply = {
        "order_id": recorded["order_id"],
        "customer_id": recorded["user_id"],
        "address": recorded["address"],
        "items": [],
        "shipments": [],
        "status": "delivered",
        "payments": [],
        "cancelled_because": None,
        "to_return": None,
        "to_exchange": None,
    }

    assert as_recorded(reply) != recorded


def test_every_customer_says_who_they_are(tasks: list[Task]) -> None:
    assert len(tasks) == 500
    assert {task.identity[0] for task in tasks} == {"shop_customers.find_by_email", "shop_customers.find_by_name"}


def test_a_folder_of_something_else_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_tasks(tmp_path)

    assert "tasks.jsonl" in refused.value.hint


AIRLINE = RETAIL.parent / "airline"
no_airline = pytest.mark.skipif(not AIRLINE.is_dir(), reason="no τ-bench data; name it with SHARED_DATA")


@no_airline
async def test_the_airline_s_gold_actions_give_what_is_on_record() -> None:
    airline, spread = read_airline(AIRLINE), read_airline_tasks(AIRLINE)[::4]

    results = [(await replay_airline(airline, task)).as_json() for task in spread]

    report = report_of(results, seconds=0)
    assert report.passed, report.page()
    assert (report.tasks, report.problems) == (10, {})


@no_airline
async def test_an_airline_that_differs_by_one_price_is_noticed() -> None:
    airline, task = read_airline(AIRLINE), read_airline_tasks(AIRLINE)[0]
    flights = dict(airline.records["flights"])
    flights["HAT136"] = flights["HAT136"].replace('"economy": 152', '"economy": 151')

    seen = await replay_airline(replace(airline, records={**airline.records, "flights": flights}), task)

    assert (seen.observations, seen.same_database, seen.passed) == (0, False, False)


def test_a_folder_without_airline_tasks_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_airline_tasks(tmp_path)

    assert "reservations.json" in refused.value.hint
