"""`gatehouse conform`: our server holds every row, in one process and in four; `langgraph dev` is found to leak."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import app
from commands.serving import free_port
from evals.conformance.check import ROWS
from evals.conformance.payments import counting
from evals.conformance.writing import write_governed, write_plain
from tests.conftest import People, Site, fresh_database, make_people, wait_until_up
from tests.workers import workers_at

pytestmark = pytest.mark.slow
EVERY = list(ROWS)


def conform(*words: str) -> Result:
    return CliRunner().invoke(app, ["conform", *words])


def stands(result: Result) -> dict[str, str]:
    return {row["row"]: row["stands"] for row in json.loads(result.stdout)}


def seen(result: Result) -> dict[str, str]:
    return {row["row"]: row["seen"] for row in json.loads(result.stdout)}


def test_a_server_that_is_started_for_it_holds_every_row() -> None:
    result = conform("--races", "10", "--json")

    assert stands(result) == dict.fromkeys(EVERY, "held"), result.output
    assert result.exit_code == 0
    assert seen(result)["12"] == "new cases of 250 need nobody; reject: 200; nothing paid"


@contextmanager
def two_and_two(site: Site) -> Iterator[list[str]]:
    """Addresses of two servers with two workers beside them."""
    ports = [free_port(), free_port()]
    with workers_at(site) as processes:
        for port in ports:
            processes.run("serve", "--no-worker", "--port", str(port))
            processes.start()
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for url in urls:
            wait_until_up(url)
        yield urls


@pytest.fixture(scope="module")
def four(postgres: str, folder: Path) -> Iterator[tuple[list[str], People]]:
    """Two servers, and two workers that count on a port that they were told."""
    port, place = free_port(), folder / "four"
    with fresh_database(postgres) as dsn:
        registry = write_governed(place / "registry")
        site = Site(dsn, place, place / "worlds", registry, {"payments": f"http://127.0.0.1:{port}"})
        people = asyncio.run(make_people(site.settings()))
        with two_and_two(site) as urls:
            yield [*(word for url in urls for word in ("--url", url)), "--payments-port", str(port)], people


def test_two_servers_and_two_workers_hold_every_row(four: tuple[list[str], People]) -> None:
    words, people = four
    keys = ["--key", people.ada, "--reviewer-key", people.fin, "--operator-key", people.olu]

    result = conform(*words, *keys, "--races", "10", "--json")

    assert stands(result) == dict.fromkeys(EVERY, "held") | {"12": "not run"}, result.output
    assert result.exit_code == 0
    assert seen(result)["8a"].startswith("10 of 10 had one winner")
    assert "could not be deleted" not in result.stderr


def test_refusals_of_whoever_may_not_decide_anyway_show_nothing(four: tuple[list[str], People]) -> None:
    words, people = four

    result = conform(*words, "--key", people.ada)

    assert result.exit_code == 2
    assert "An honest approval paid nothing" in result.stderr
    assert "--reviewer-key" in result.stderr


def test_a_server_that_wants_a_key_is_not_attacked_without_one(four: tuple[list[str], People]) -> None:
    result = conform(*four[0])

    assert result.exit_code == 2
    assert "--key" in result.stderr


def test_a_server_without_the_graph_is_told_which_one_it_must_serve() -> None:
    with counting() as somebody_else:
        result = conform("--url", somebody_else.url, "--payments-port", str(free_port()))

    assert result.exit_code == 2
    assert "gatehouse conform graph" in result.stderr


def test_a_row_that_the_table_lacks_is_refused() -> None:
    result = conform("--row", "8c")

    assert result.exit_code == 2
    assert "8a, 8b" in result.stderr


@contextmanager
def dev_server(place: Path, payments: int) -> Iterator[str]:
    """`langgraph dev` on the graph in plain LangGraph."""
    write_plain(place)
    url = f"http://127.0.0.1:{(port := free_port())}"
    program = str(Path(sys.executable).with_name("langgraph"))
    quiet = ["--no-browser", "--no-reload", "--host", "127.0.0.1", "--n-jobs-per-worker", "16"]
    given = {"CONFORM_PAYMENTS": f"http://127.0.0.1:{payments}", "LANGSMITH_TRACING": "false"}
    with (place / "log").open("w") as log:
        command = [program, "dev", "--port", str(port), *quiet]
        process = subprocess.Popen(command, cwd=place, env=dict(os.environ) | given, stdout=log, stderr=log)
    try:
        wait_until_up(url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_langgraphs_dev_server_is_found_to_leak(folder: Path) -> None:
    port = free_port()
    with dev_server(folder / "plain", port) as url:
        result = conform("--url", url, "--payments-port", str(port), "--races", "5", "--json")

    found: dict[str, Any] = stands(result)
    assert result.exit_code == 1
    assert [row for row in EVERY if found[row] != "leaks"] == ["8b", "12", "14", "15"], result.output
    assert "99,999" in seen(result)["2"]
    assert "88,888" in seen(result)["3"]
    assert "77,777" in seen(result)["4"]
    assert seen(result)["5"].endswith("paid 250 and 250")
    assert "by transfer" in seen(result)["13"]
