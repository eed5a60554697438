"""Routes of an alias: their order, what is shown of them, and where a case's data may go."""

from typing import Any

import httpx
import openai
import pytest
from pydantic import SecretStr

from contracts.errors import ConfigurationError, ResidencyRefused
from engine.configured import public_routes, routes_of
from engine.models.failures import failure_of, wait_of
from engine.models.prices import listed_price
from engine.models.route import Price, Route
from engine.models.routing import Alias, Border, Experiment, Routing
from engine.settings import Settings, read_settings

AFTER = "Fri, 31 Dec 2100 23:59:59 GMT"
EU, US = Border("eu"), Border("us")


def route(name: str, region: str = "", *tags: str) -> Route:
    return Route(name, SecretStr("k"), region=region, residency=tags)


def names(routing: Routing, border: Border) -> list[str]:
    return [each.label for each in routing.allowed("drafter", border)]


def settings(**models: Any) -> Settings:
    return read_settings(models=models)


def test_a_region_leaves_only_its_routes_in_their_order() -> None:
    routing = Routing({"drafter": Alias((route("a", "us"), route("b", "eu"), route("c", "us", "eu")))}, {})

    assert names(routing, Border()) == ["a", "b", "c"]
    assert names(routing, EU) == ["b", "c"]
    assert names(routing, US) == ["a", "c"]


def test_a_class_of_data_wants_its_tag_and_the_region_too() -> None:
    routing = Routing(
        {"drafter": Alias((route("a", "eu"), route("b", "eu", "health"), route("c", "us", "health")))}, {}
    )

    assert names(routing, Border("", "health")) == ["b", "c"]
    assert names(routing, Border("eu", "health")) == ["b"]


def test_no_route_within_the_border_is_a_refusal_that_says_why() -> None:
    routing = Routing({"*": Alias((route("a", "us"), route("b")))}, {})

    with pytest.raises(ResidencyRefused, match=r"'a': it is in us.*'b': it is in no region") as refused:
        routing.allowed("drafter", EU)

    assert refused.value.hint


def test_a_tenant_without_a_region_of_its_own_has_that_of_all_others() -> None:
    routing = Routing({}, {"acme": "us", "*": "eu"})

    assert (routing.border("acme", "").region, routing.border("other", "").region) == ("us", "eu")
    assert Routing({}, {"acme": "us"}).border("other", "x") == Border("", "x")


def test_one_object_and_a_list_of_objects_are_routes_in_order() -> None:
    one = settings(drafter={"model": "m"})
    two = settings(drafter=[{"model": "m", "region": "eu"}, {"model": "m", "region": "us", "residency": ["health"]}])

    assert [r.label for r in routes_of(one)["drafter"].routes] == ["m"]
    assert [r.label for r in routes_of(two)["drafter"].routes] == ["m@eu", "m@us"]
    assert routes_of(two)["drafter"].routes[1].residency == ("health",)


def test_a_single_plain_route_is_pinned_as_it_always_was() -> None:
    plain: Any = public_routes(settings(drafter={"model": "m"}))
    several: Any = public_routes(settings(drafter=[{"model": "m"}, {"model": "n", "region": "eu", "api": "responses"}]))

    assert plain == {"drafter": {"model": "m", "base_url": None, "temperature": 0.0}}
    assert [shown["model"] for shown in several["drafter"]] == ["m", "n"]
    assert several["drafter"][1] == {
        "model": "n", "base_url": None, "temperature": 0.0, "api": "responses", "region": "eu"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("routes", "says"),
    [
        ([], "has no route"),
        ([{"model": "m"}, {"model": "m"}], "called 'm'"),
        ({"model": "m", "parameters": {"messages": []}}, "'messages' is set by the gateway"),
        ({"model": "m", "api": "soap"}, "api"),
    ],
)
def test_routes_that_cannot_work_are_refused_at_the_start(routes: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        settings(drafter=routes)


def test_keys_of_every_route_are_secrets() -> None:
    given = settings(drafter=[{"model": "a", "api_key": "sk-one"}, {"model": "b", "api_key": "sk-two"}]).credentials()

    assert {name for name in given if name.startswith("GATEHOUSE_MODELS")} == {
        "GATEHOUSE_MODELS drafter", "GATEHOUSE_MODELS drafter 1"
    }  # fmt: skip


def test_an_experiment_splits_runs_by_their_id_and_always_alike() -> None:
    trial = Experiment("newer", 0.25, route("b"))
    routing = Routing({"drafter": Alias((route("a"),), trial)}, {})

    runs = [f"run-{n}" for n in range(2_000)]
    arms = [routing.choose("drafter", Border(), run).half["arm"] for run in runs]
    other = [Experiment("another", 0.25, route("b")).has(run) for run in runs]

    assert arms == [routing.choose("drafter", Border(), run).half["arm"] for run in runs]
    assert 0.2 < arms.count("b") / len(arms) < 0.3
    assert other != [arm == "b" for arm in arms]


def test_the_route_that_was_there_before_answers_where_the_tried_one_does_not() -> None:
    routing = Routing({"drafter": Alias((route("a"),), Experiment("newer", 0.999_999, route("b")))}, {})

    assert [each.label for each in routing.choose("drafter", Border(), "r").routes] == ["b", "a"]


def test_an_experiment_of_an_alias_without_a_route_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'writer'"):
        routes_of(read_settings(model_experiments={"writer": {"name": "x", "route": {"model": "m"}}}))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), (AFTER, 1e9), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("soon", 0), ("-3", 0), ("", 0)],
)
def test_how_long_an_endpoint_wants_to_be_left_alone(said: str, seconds: float) -> None:
    response = httpx.Response(429, headers={"retry-after": said}, request=httpx.Request("POST", "http://x"))
    error = openai.RateLimitError("slow down", response=response, body=None)
    failure = failure_of(error, "m")
    failure.__cause__ = error

    assert min(wait_of(failure), 1e9) == seconds


def test_a_model_costs_what_the_price_list_says_unless_the_configuration_does() -> None:
    own = {"model": "gpt-4o", "currency": "EUR", "read_price": 1, "written_price": 2}
    found = routes_of(
        settings(listed={"model": "gpt-4o"}, own=own, local={"model": "gpt-4o", "base_url": "http://127.0.0.1:1"})
    )
    listed, mine, local = (found[alias].routes[0].price for alias in ("listed", "own", "local"))

    assert listed is not None
    assert listed == listed_price("gpt-4o", None)
    assert (listed.currency, 0 < listed.read < listed.written < 1_000) == ("USD", True)
    assert (mine, local) == (Price("EUR", 1, 2), None)
