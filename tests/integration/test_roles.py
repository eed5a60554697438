"""What each role may do: every route asks who calls, an auditor reads and changes nothing, an author reads less."""

from typing import Any

import httpx
import pytest

from engine.access.keys import ROLES, create_key
from engine.opening import open_database
from tests.conftest import Site
from tests.integration.test_every_change_is_recorded import READS
from tests.integration.test_tenants import answer, ids

OPEN = {"/.well-known/jwks.json", "/health/live", "/health/ready", "/info", "/metrics", "/ok"}
SIGNED = {"/inbound/{workflow}", "/hooks/{sender_id}"}
"""What a signature opens and no key."""
QUIET = {"/threads/{thread_id}/stream", "/threads/{thread_id}/stream/events"}
"""Streams that end when the reader leaves."""
__all__ = ["ids"]


@pytest.fixture(scope="module")
async def keys(site: Site, url: str) -> dict[str, str]:
    """One key for each role alone, in the tenant of the others."""
    async with open_database(site.settings(), lambda _: None) as database, database.transaction() as conn:
        return {role: await create_key(conn, f"only-{role}", [role]) for role in ROLES}


@pytest.fixture
async def routes(http: httpx.AsyncClient) -> list[tuple[str, str]]:
    paths = (await http.get("/openapi.json")).json()["paths"]
    return [
        (method, path) for path, methods in paths.items() for method in methods if path not in QUIET | OPEN | SIGNED
    ]


async def statuses(
    http: httpx.AsyncClient, ids: dict[str, Any], key: str | None, routes: list[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    known = ids | {"workflow": "billing_dispute", "digest": "0" * 64, "before": "0" * 64, "after": "0" * 64}
    return {(m, p): await answer(http, m, p, known, key) for m, p in routes}


def changing(routes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(m, p) for m, p in routes if m != "get" and f"{m} {p}" not in READS]


async def test_without_a_credential_every_route_is_shut(
    http: httpx.AsyncClient, keys: dict[str, str], ids: dict[str, str], routes: list[tuple[str, str]]
) -> None:
    found = await statuses(http, ids, None, routes)

    assert {route: status for route, status in found.items() if status != 401} == {}


@pytest.mark.parametrize("role", ["auditor", "author"])
async def test_who_only_reads_changes_nothing(
    http: httpx.AsyncClient, keys: dict[str, str], ids: dict[str, str], routes: list[tuple[str, str]], role: str
) -> None:
    found = await statuses(http, ids, keys[role], changing(routes))

    # What does not fit is not looked at; the routes that ask for the role first all say so.
    assert {route: status for route, status in found.items() if status not in (403, 404, 405, 409, 422)} == {}
    assert sum(status == 403 for status in found.values()) > len(found) / 2


async def test_an_auditor_reads_what_others_asked_for(
    http: httpx.AsyncClient, keys: dict[str, str], ids: dict[str, str]
) -> None:
    paths = (
        f"/audit/runs/{ids['run_id']}",
        f"/runs/{ids['run_id']}/timeline",
        f"/approvals/{ids['request_id']}",
        f"/effects/{ids['key']}",
        "/approvals",
        "/queues",
        "/versions",
        "/stats/reviews",
        "/stats/outcomes",
    )

    for path in paths:
        assert (await http.get(path, headers={"x-api-key": keys["auditor"]})).status_code == 200, path


async def test_an_author_reads_versions_and_no_case(
    http: httpx.AsyncClient, keys: dict[str, str], ids: dict[str, str]
) -> None:
    headers = {"x-api-key": keys["author"]}

    assert (await http.get("/versions", headers=headers)).status_code == 200
    for path in (f"/audit/runs/{ids['run_id']}", f"/approvals/{ids['request_id']}", f"/effects/{ids['key']}"):
        assert (await http.get(path, headers=headers)).status_code == 403
