"""Versions over HTTP and by command: who may see and move what, and a deployment from one version to the next."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from typer.testing import CliRunner, Result

from cli import app
from commands.serving import free_port
from tests.cases import GRAPH, client_of, parked_case, refunds_of
from tests.conftest import People, Site, fresh_database, make_people, running, wait_until_up

OTHER_ROUTE = {
    "GATEHOUSE_MODELS": '{"classifier": {"model": "another", "base_url": "https://u:secret@models.example/v1"}}'
}
"""Settings that change the version of the workflow, and nothing that happens after the gate."""


def headers(key: str) -> dict[str, str]:
    return {"x-api-key": key}


MOVE = {"from": "0" * 16, "to": "1" * 16, "reason": "because", "all": True}
MUTATIONS = [
    (f"/versions/{'0' * 16}/drain", {"reason": "because"}),
    (f"/versions/{'0' * 16}/drain/end", {"reason": "because"}),
    ("/versions/migrations", MOVE),
    ("/versions/migrations", {**MOVE, "all": False, "run_id": str(uuid.uuid4())}),
]


@pytest.mark.parametrize(("path", "body"), MUTATIONS)
@pytest.mark.parametrize(("who", "status"), [("ada", 403), ("fin", 403), ("", 401), ("olu", 404)])
async def test_only_operators_drain_and_move_and_unknown_versions_are_not_found(
    http: httpx.AsyncClient, people: People, path: str, body: Any, who: str, status: int
) -> None:
    reply = await http.post(path, json=body, headers=headers(getattr(people, who)) if who else {})

    assert reply.status_code == status


@pytest.mark.parametrize("path", ["/versions", "/versions/x", "/versions/x/diff/y"])
@pytest.mark.parametrize(("who", "status"), [("ada", 403), ("", 401)])
async def test_callers_do_not_see_versions(
    http: httpx.AsyncClient, people: People, path: str, who: str, status: int
) -> None:
    reply = await http.get(path, headers=headers(getattr(people, who)) if who else {})

    assert reply.status_code == status


@pytest.mark.parametrize(
    "body",
    [
        {**MOVE, "all": False},
        {**MOVE, "run_id": str(uuid.uuid4())},
        {**MOVE, "reason": ""},
        {**MOVE, "limit": 0},
        {**MOVE, "more": 1},
        {"from": "x"},
        {**MOVE, "to": "\0"},
    ],
)
async def test_a_move_says_which_cases_and_why(http: httpx.AsyncClient, people: People, body: Any) -> None:
    assert (await http.post("/versions/migrations", json=body, headers=headers(people.olu))).status_code == 422


async def test_what_is_loaded_is_listed_and_shown_without_secrets(http: httpx.AsyncClient, people: People) -> None:
    listed = (await http.get("/versions", headers=headers(people.olu))).json()
    loaded = next(v["digest"] for v in listed if v["loaded"] and v["workflow"] == GRAPH)
    shown = await http.get(f"/versions/{loaded}", headers=headers(people.fin))
    same = await http.get(f"/versions/{loaded}/diff/{loaded}", headers=headers(people.fin))

    assert shown.json()["manifest"]["stages"]["approve_refund"] == {"kind": "gate", "tools": ["billing.issue_refund"]}
    assert same.json() == []


@contextmanager
def deployment(site: Site, **environment: str) -> Iterator[str]:
    """A server with a worker."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running(site, "serve", "--port", str(port), **environment):
        wait_until_up(url)
        yield url


def versions(url: str, key: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["versions", *words, "--url", url, "--key", key])


async def approve(url: str, key: str, thread: str, interrupt: Any) -> Any:
    command: Any = {"resume": {interrupt["id"]: {"type": "approve"}}}
    return await client_of(url, key).runs.wait(thread, GRAPH, command=command)


async def in_thread(*words: str) -> Result:
    return await asyncio.to_thread(versions, *words)


@pytest.mark.slow
async def test_a_case_is_moved_from_one_deployment_to_the_next(postgres: str, folder: Path) -> None:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "deployments", folder / "deployments.sqlite")
        people = await make_people(site.settings())
        with deployment(site) as url:
            thread, account, interrupt = await parked_case(client_of(url, people.ada), site.worlds)
        with deployment(site, **OTHER_ROUTE) as url:
            with pytest.raises(httpx.HTTPStatusError, match="version_changed"):
                await approve(url, people.fin, thread, interrupt)
            listed = json.loads((await in_thread(url, people.olu, "list", "--json")).stdout)
            new, old = (v["digest"] for v in listed if v["workflow"] == GRAPH)
            diff = (await in_thread(url, people.olu, "diff", old, new)).stdout
            drained = (await in_thread(url, people.olu, "drain", old, "--reason", "replaced")).stdout
            done = await in_thread(
                url, people.olu, "migrate", "all", "--from", old, "--to", new, "--reason", "replaced"
            )
            result = await approve(url, people.fin, thread, interrupt)

        assert ("another" in diff, "secret" in diff, "1 at approve_refund" in drained) == (True, False, True)
        assert (done.exit_code, done.stdout) == (0, f"1 case(s) go on under {new}.\n")
        assert (result["outcome"], refunds_of(site.worlds, account)) == ("completed", [25_000])
        with psycopg.connect(dsn) as conn:
            kept = conn.execute("SELECT manifest::text FROM workflow_version").fetchall()
        assert not [text for (text,) in kept if "secret" in text]
