"""`gatehouse models`: what is configured, who would be asked, and whether it answers."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from cli import app
from tests.conftest import Site
from tests.stubs.openai_server import openai_endpoint

Gatehouse = Callable[..., Result]

ROUTES = [
    {"model": "m", "region": "us"},
    {"model": "m", "region": "eu", "residency": ["health"], "currency": "EUR", "read_price": 2, "written_price": 8},
]


@pytest.fixture
def gatehouse(site: Site, monkeypatch: pytest.MonkeyPatch) -> Gatehouse:
    def run(*words: str, models: Any = None, **more: Any) -> Result:
        configured = {"GATEHOUSE_MODELS": json.dumps(models or {"writer": ROUTES}), **more}
        for name, value in site.environment(**configured).items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, ["models", *words])

    return run


def test_the_list_shows_price_residency_and_breakers(gatehouse: Gatehouse, site: Site) -> None:
    with psycopg.connect(site.dsn, autocommit=True) as conn:
        conn.execute("INSERT INTO breaker (tenant, name, state) VALUES ('default', 'model:writer/m@us', 'open')")

    try:
        rows = json.loads(gatehouse("list", "--json").stdout)
        verdict = json.loads(gatehouse("route", "writer", "--json").stdout)
    finally:
        with psycopg.connect(site.dsn, autocommit=True) as conn:
            conn.execute("DELETE FROM breaker WHERE name = 'model:writer/m@us'")

    assert [(row["route"], row["breaker"]) for row in rows] == [("m@us", "open"), ("m@eu", "closed")]
    assert (rows[1]["price"], rows[1]["residency"]) == ("2/8 EUR", ["health"])
    assert (verdict["taken"], verdict["routes"][0]["why_not"]) == ("m@eu", "its breaker is open")


def test_the_route_that_would_be_taken_is_explained(gatehouse: Gatehouse) -> None:
    told = gatehouse("route", "writer", "--workflow", "billing_dispute", GATEHOUSE_REGIONS='{"*": "eu"}')

    assert told.exit_code == 0
    assert "m@us (route): not: it is in us" in told.stdout
    assert "m@eu (route): taken" in told.stdout


def test_nobody_to_ask_is_exit_code_1_and_an_unknown_alias_2(gatehouse: Gatehouse) -> None:
    refused = gatehouse("route", "writer", GATEHOUSE_REGIONS='{"*": "ch"}')
    unknown = gatehouse("route", "nobody")

    assert (refused.exit_code, "before anything leaves" in refused.stdout) == (1, True)
    assert (unknown.exit_code, "writer" in unknown.stderr) == (2, True)


def test_a_route_is_tried_with_one_question(gatehouse: Gatehouse) -> None:
    with openai_endpoint('{"sum": 5}', "five") as endpoint:
        routes = [{"model": name, "base_url": endpoint.url} for name in ("good", "loose", "html")]
        told = gatehouse("test", "writer", "--json", models={"writer": routes})

    good, loose, page = json.loads(told.stdout)
    assert told.exit_code == 1
    assert (good["answered"], good["structured"], good["tokens_read"]) == (True, True, 10)
    assert (loose["answered"], loose["structured"]) == (True, False)
    assert (page["answered"], page["error"]) == (False, "model_unreadable")
    assert len(endpoint.requests) == 3
