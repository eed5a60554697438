"""Several routes of one alias, over real HTTP: who is asked, who is not, and when the asking ends."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from engine.audit.audit import chain, stream_of
from engine.catalog.catalog import Catalog
from engine.limits.breakers import breakers_of
from engine.models import attempts
from engine.models.route import Route
from engine.models.sources import Slots
from engine.operations.shadowed import shadowed
from engine.runs.model import Run
from engine.wiring import Engine
from evals.offline import offline
from tests.conftest import Site, fresh_database
from tests.integration.test_models import FINDING, ISSUE, LETTER, dispute, opened, tokens
from tests.stubs.openai_server import Endpoint, openai_endpoint

REPLIES = (ISSUE, FINDING, LETTER)


@pytest.fixture(scope="module")
def site(postgres: str, folder: Path) -> Iterator[Site]:
    with fresh_database(postgres) as dsn:
        yield Site(dsn, folder / "routes", folder / "routes.sqlite")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSE_S", 0.01)


@pytest.fixture
def ends() -> Iterator[tuple[Endpoint, Endpoint]]:
    """Two endpoints: of the first route, and of the second."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(openai_endpoint(*REPLIES)) for _ in range(2))
        yield first, second


def routes(first: Endpoint, model: str, second: Endpoint, **more: Any) -> dict[str, Any]:
    """Settings: `model` at the first endpoint, then a good one at the second."""
    one = {"model": model, "base_url": first.url} | more
    return {"models": {"*": [one, {"model": "good", "base_url": second.url, "region": "eu"}]}}


def regional(engine: Engine, region: str, data_class: str = "") -> Engine:
    """The engine for tenants of this region, whose workflows handle this class of data."""
    catalog = Catalog(replace(w, policy=replace(w.policy, data_class=data_class)) for w in engine.catalog.values())
    models = replace(engine.carrier.models, regions={"*": region} if region else {})
    return replace(engine, carrier=replace(engine.carrier, models=models, catalog=catalog))


@pytest.mark.parametrize("model", ["status-500", "html"])
async def test_the_next_route_answers_for_one_that_does_not(
    site: Site, ends: tuple[Endpoint, Endpoint], model: str
) -> None:
    async with opened(site, **routes(ends[0], model, ends[1])) as engine:
        _, values, called = await dispute(engine, site)

    assert values["outcome"] == "completed"
    assert [len(end.requests) for end in ends] == [9, 3]
    assert [(c["route"], bool(c["error_code"])) for c in called[:4]] == [(model, True)] * 3 + [("good@eu", False)]
    assert called[3]["passed_over"][0].startswith(f"{model}: model_")


@pytest.mark.parametrize("model", ["status-401", "status-400", "refuses"])
async def test_a_refused_key_or_request_or_a_refusal_is_not_hidden_behind_the_next_route(
    site: Site, ends: tuple[Endpoint, Endpoint], model: str
) -> None:
    async with opened(site, **routes(ends[0], model, ends[1])) as engine:
        _, values, _ = await dispute(engine, site)

    assert values["outcome"] == "handed_off"
    assert [len(end.requests) for end in ends] == [1, 0]


async def test_a_route_that_has_failed_too_often_is_left_alone(site: Site, ends: tuple[Endpoint, Endpoint]) -> None:
    ends[1].replies *= 2
    async with opened(site, **routes(ends[0], "status-503", ends[1]), model_breaker_failures=1) as engine:
        await dispute(engine, site)
        _, values, called = await dispute(engine, site)
        async with engine.database.transaction() as conn:
            broken = await breakers_of(conn, tenant="default")

    assert values["outcome"] == "completed"
    assert len(ends[0].requests) == 9
    assert {c["route"] for c in called} == {"good@eu"}
    assert called[0]["passed_over"] == ["status-503: circuit_open"]
    assert "open" in {row["state"] for row in broken if row["name"].endswith("/status-503")}


async def test_a_route_that_wants_to_be_left_alone_for_long_is_left_for_the_next_one(
    site: Site, ends: tuple[Endpoint, Endpoint]
) -> None:
    ends[0].retry_after = "30"
    async with opened(site, **routes(ends[0], "status-429", ends[1])) as engine:
        _, values, _ = await dispute(engine, site)

    assert (values["outcome"], [len(end.requests) for end in ends]) == ("completed", [3, 3])


async def test_a_route_is_left_alone_for_as_long_as_it_asks(site: Site, ends: tuple[Endpoint, Endpoint]) -> None:
    ends[0].retry_after = "1"
    began = time.monotonic()
    async with opened(site, models={"*": {"model": "status-429-times-1", "base_url": ends[0].url}}) as engine:
        _, _, called = await dispute(engine, site)

    assert time.monotonic() - began > 1
    assert [c["error_code"] for c in called[:2]] == ["model_unavailable", ""]


async def test_of_a_reply_in_pieces_it_is_known_when_the_first_came(
    site: Site, ends: tuple[Endpoint, Endpoint]
) -> None:
    async with opened(site, models={"*": {"model": "m", "base_url": ends[0].url, "stream": True}}) as engine:
        _, values, called = await dispute(engine, site)

    assert (values["outcome"], [request["stream"] for request in ends[0].requests]) == ("completed", [True] * 3)
    assert all(0 <= c["first_token_ms"] <= c["latency_ms"] for c in called)
    assert [(c["tokens_read"], c["finish_reason"]) for c in called] == [(10, "stop")] * 3


async def test_one_deadline_covers_attempts_routes_and_repairs(site: Site, ends: tuple[Endpoint, Endpoint]) -> None:
    async with opened(site, **routes(ends[0], "hangs", ends[1]), model_deadline_s=0.5) as engine:
        began = time.monotonic()
        _, values, called = await dispute(engine, site)

    assert (values["outcome"], values["problem"]["code"]) == ("handed_off", "model_unavailable")
    assert time.monotonic() - began < 1.8
    assert (len(called), len(ends[1].requests)) == (1, 0)


async def test_every_attempt_says_what_it_took(site: Site, ends: tuple[Endpoint, Endpoint]) -> None:
    priced = {"currency": "EUR", "read_price": 2.0, "written_price": 4.0, "region": "eu"}
    async with opened(site, **routes(ends[0], "priced", ends[1], **priced)) as engine:
        _, _, called = await dispute(engine, site)

    said = {
        "route": "priced@eu",
        "region": "eu",
        "model": "priced",
        "tokens_read": 10,
        "tokens_written": 5,
        "attempt": 1,
    }
    said |= {"cost": 40, "currency": "EUR", "finish_reason": "stop", "error_code": ""}
    said |= {"unit_prices": {"read": 2.0, "written": 4.0}}
    assert said.items() <= called[0].items()
    assert called[0]["latency_ms"] >= 0


@pytest.mark.controls
@pytest.mark.parametrize(("region", "data_class"), [("eu", ""), ("", "health")])
async def test_data_that_must_stay_is_refused_before_anything_leaves(site: Site, region: str, data_class: str) -> None:
    with openai_endpoint(*REPLIES) as us:
        models = {"*": {"model": "m", "base_url": us.url, "region": "us"}}
        async with opened(site, models=models) as engine:
            with offline(site.dsn) as watch:
                _, values, called = await dispute(regional(engine, region, data_class), site)
            refused = us.connections
            _, without, _ = await dispute(regional(engine, "", ""), site)

    assert (values["problem"]["code"], refused, watch.tried) == ("residency_refused", 0, [])
    assert [c["error_code"] for c in called] == ["residency_refused"]
    assert (without["outcome"], us.connections > 0) == ("completed", True)


async def test_a_fallback_never_crosses_the_border(site: Site, ends: tuple[Endpoint, Endpoint]) -> None:
    settings = routes(ends[0], "status-500", ends[1], residency=["us"])
    async with opened(site, **settings) as engine:
        _, values, _ = await dispute(regional(engine, "us"), site)

    assert values["problem"]["code"] == "model_unavailable"
    assert [end.connections > 0 for end in ends] == [True, False]


async def test_only_so_many_calls_of_a_route_are_under_way() -> None:
    slots, route = Slots(), Route("m", SecretStr("k"), max_concurrent=2)
    under_way, most = 0, 0

    async def call() -> None:
        nonlocal under_way, most
        async with slots.held("drafter", route):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.001)
            under_way -= 1

    await asyncio.gather(*(call() for _ in range(9)))
    assert most == 2


def beside(first: Endpoint, model: str, second: Endpoint, **terms: Any) -> dict[str, Any]:
    """Settings: a good model for the cases, and this one in its shadow."""
    shadow = {"route": {"model": model, "base_url": second.url}} | terms
    return {"models": {"*": {"model": "good", "base_url": first.url}}, "model_shadows": {"*": shadow}}


async def shadows(engine: Engine, run: Run) -> list[dict[str, Any]]:
    """What the trail tells of second models, once all of them have ended."""
    await engine.carrier.models.beside.finish()
    async with engine.database.transaction() as conn:
        records = [link.record for link in await chain(conn, stream_of(run.thread_id))]
    return [r["data"] for r in records if r["event"] == "model.shadowed"]


async def test_a_shadow_is_recorded_and_decides_nothing(site: Site, ends: tuple[Endpoint, Endpoint]) -> None:
    ends[1].replies = ['{"kind": "nonsense"}']
    async with opened(site, **beside(ends[0], "other", ends[1])) as engine:
        run, values, called = await dispute(engine, site, "messages-tuple")
        told, said = await shadows(engine, run), await tokens(engine, run)
        async with engine.database.transaction() as conn:
            compared = await shadowed(conn, run.id, tenant="default")

    assert (values["outcome"], [c["model"] for c in called]) == ("completed", ["good"] * 3)
    assert [(t["model"], t["reply"], t["tokens_read"]) for t in told] == [("other", '{"kind": "nonsense"}', 10)] * 3
    assert said == [*REPLIES]
    assert [(c["model"], c["shadow"], c["agrees"]) for c in compared] == [("good", "other", False)] * 3
    assert {c["reply"] for c in compared} == set(REPLIES)


@pytest.mark.parametrize("model", ["hangs", "status-500", "html"])
async def test_a_shadow_that_fails_delays_and_fails_nothing(
    site: Site, ends: tuple[Endpoint, Endpoint], model: str
) -> None:
    settings = beside(ends[0], model, ends[1])
    settings["model_shadows"]["*"]["route"]["timeout_s"] = 0.5
    async with opened(site, **settings) as engine:
        began = time.monotonic()
        run, values, _ = await dispute(engine, site)
        took_s = time.monotonic() - began
        told = await shadows(engine, run)

    assert (values["outcome"], took_s < 1.4) == ("completed", True)
    assert all(t["problem"] for t in told)


async def test_a_shadow_has_a_budget_of_its_own(site: Site, ends: tuple[Endpoint, Endpoint]) -> None:
    async with opened(site, **beside(ends[0], "thrifty", ends[1], per_day=1)) as engine:
        _, values, _ = await dispute(engine, site)
        await dispute(engine, site)
        await engine.carrier.models.beside.finish()

    assert values["outcome"] == "completed"
    assert len(ends[1].requests) == 3  # one for each alias


@pytest.mark.parametrize("what", ["model_shadows", "model_experiments"])
async def test_no_data_crosses_the_border_for_a_trial(site: Site, ends: tuple[Endpoint, Endpoint], what: str) -> None:
    trial = {"route": {"model": "abroad", "base_url": ends[1].url, "region": "us"}}
    trial |= {"name": "x", "share": 0.999} if what == "model_experiments" else {}
    home = {"model": "home", "base_url": ends[0].url, "region": "eu"}
    async with opened(site, models={"*": home}, **{what: {"*": trial}}) as engine:
        _, values, _ = await dispute(regional(engine, "eu"), site)
        await engine.carrier.models.beside.finish()

    assert (values["outcome"], ends[1].connections) == ("completed", 0)


async def test_a_run_of_an_experiment_says_which_half_it_is_in(site: Site, ends: tuple[Endpoint, Endpoint]) -> None:
    trial = {"name": "newer", "share": 0.999_999, "route": {"model": "b", "base_url": ends[1].url}}
    models = {"*": {"model": "a", "base_url": ends[0].url}}
    async with opened(site, models=models, model_experiments={"*": trial}) as engine:
        _, _, called = await dispute(engine, site)

    assert {(c["model"], c["experiment"], c["arm"]) for c in called} == {("b", "newer", "b")}
    assert [len(end.requests) for end in ends] == [0, 3]
