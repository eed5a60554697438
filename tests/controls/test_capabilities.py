"""A capability serves for the one request that it was minted for: every way to use it otherwise is refused outside."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from engine.access.tokens import sign
from engine.gateway.capability import KIND, LIFE_S, Mint, OnBehalf, mint_of
from tests.resource_server import CHECKS, ResourceServer, Wanted, read_claims
from tools import billing

pytestmark = pytest.mark.controls

BEHALF = OnBehalf("key:ada", "default", "agent:trial", "v1", "run-1", "approval:1", "d" * 64)
REFUND, LIST = billing.issue_refund, billing.list_charges
WANTED = {
    ("POST", "/refunds"): [Wanted(f"{REFUND.name}@{REFUND.version}", REFUND.scopes[0], "write")],
    ("GET", "/charges"): [Wanted(f"{LIST.name}@{LIST.version}", LIST.scopes[0], "read")],
}


@dataclass(frozen=True)
class Stage:
    """A mint, a stranger's with the same name, and a system that takes the capabilities of the first."""

    mint: Mint
    stranger: Mint
    server: ResourceServer
    http: httpx.AsyncClient

    def request(self, path: str = "/refunds", method: str = "POST", **how: Any) -> httpx.Request:
        return self.http.build_request(
            method, path, **({"json": {"amount_cents": 100}} if method == "POST" else {}) | how
        )

    def token(self, request: httpx.Request, tool: Any = REFUND, *, writes: bool = True, mint: Any = None) -> str:
        return str((mint or self.mint).capability(BEHALF, tool, request, writes=writes))

    async def send(self, request: httpx.Request, token: str) -> int:
        request.headers["authorization"] = f"Bearer {token}"
        return (await self.http.send(request)).status_code


@pytest.fixture
async def stage(tmp_path: Path) -> Any:
    async def act(_: Any) -> JSONResponse:
        return JSONResponse({"done": True})

    app = Starlette(routes=[Route(path, act, methods=["GET", "POST"]) for path in ("/refunds", "/charges")])
    mint, stranger = mint_of("ab" * 32, tmp_path, "gatehouse"), mint_of("cd" * 32, tmp_path, "gatehouse")
    server = ResourceServer(app, KeySet.import_key_set(mint.published()), WANTED)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url="http://billing") as http:
        yield Stage(mint, stranger, server, http)


async def test_it_serves_for_its_request(stage: Stage) -> None:
    request = stage.request()

    assert await stage.send(request, stage.token(request)) == 200
    (claims,) = stage.server.served
    assert claims["exp"] - claims["iat"] == LIFE_S
    assert (claims["sub"], claims["act"], claims["txn"]) == ("key:ada", {"sub": "agent:trial@v1"}, "run-1")


def another_tool(stage: Stage) -> tuple[httpx.Request, str]:
    request = stage.request()
    same_scope = replace(LIST, scopes=REFUND.scopes)
    return request, stage.token(request, same_scope)


def without_the_scope(stage: Stage) -> tuple[httpx.Request, str]:
    request = stage.request()
    claims = read_claims(stage.token(request)) | {"scope": "billing:read"}
    return request, sign(claims, stage.mint._key, kind=KIND)


def to_read(stage: Stage) -> tuple[httpx.Request, str]:
    request = stage.request()
    return request, stage.token(request, writes=False)


def for_another_body(stage: Stage) -> tuple[httpx.Request, str]:
    token = stage.token(stage.request())
    return stage.request(json={"amount_cents": 1_000_000}), token


def for_another_query(stage: Stage) -> tuple[httpx.Request, str]:
    token = stage.token(stage.request())
    return stage.request("/refunds?force=1"), token


def too_late(stage: Stage) -> tuple[httpx.Request, str]:
    request, now = stage.request(), int(time.time())
    claims = read_claims(stage.token(request)) | {"iat": now - 120, "exp": now - 60}
    return request, sign(claims, stage.mint._key, kind=KIND)


def living_too_long(stage: Stage) -> tuple[httpx.Request, str]:
    request = stage.request()
    claims = read_claims(stage.token(request))
    return request, sign(claims | {"exp": claims["iat"] + 86_400}, stage.mint._key, kind=KIND)


def by_a_stranger(stage: Stage) -> tuple[httpx.Request, str]:
    request = stage.request()
    return request, stage.token(request, mint=stage.stranger)


def of_another_issuer(stage: Stage) -> tuple[httpx.Request, str]:
    request = stage.request()
    claims = read_claims(stage.token(request)) | {"iss": "https://another.example.org"}
    return request, sign(claims, stage.mint._key, kind=KIND)


ATTACKS: list[tuple[Callable[[Stage], tuple[httpx.Request, str]], str]] = [
    (another_tool, "audience"),
    (without_the_scope, "scope"),
    (to_read, "action"),
    (for_another_body, "digest"),
    (for_another_query, "digest"),
    (too_late, "expiry"),
    (living_too_long, "expiry"),
    (by_a_stranger, "signature"),
    (of_another_issuer, "issuer"),
]


@pytest.mark.parametrize(("attack", "check"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
async def test_used_otherwise_it_is_refused_and_would_not_be_without_that_check(
    stage: Stage, attack: Callable[[Stage], tuple[httpx.Request, str]], check: str
) -> None:
    refused = await stage.send(*attack(stage))
    served, stage.server.checks = list(stage.server.served), frozenset(CHECKS) - {check}
    unguarded = await stage.send(*attack(stage))

    assert (refused, served) == (401, [])
    assert unguarded == 200


async def test_it_serves_once(stage: Stage) -> None:
    request = stage.request()
    token = stage.token(request)

    answers = [await stage.send(stage.request(), token) for _ in range(2)]
    stage.server.checks = frozenset(CHECKS) - {"once"}

    assert answers == [200, 401]
    assert await stage.send(stage.request(), token) == 200
