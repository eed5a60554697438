"""People sign in by tokens of an identity provider, and nobody by anything that only looks like one."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import OKPKey

from api.app import create_app
from contracts.errors import NotFound, Unauthenticated
from engine.access.issuers import Issuers, IssuerSettings
from engine.access.keys import Principal, create_key, principal_of
from engine.access.people import block, list_people, unblock
from engine.audit import audit
from engine.settings import read_settings
from tests.engines import Bench, fresh_bench
from tests.integration.test_bad_requests import problem_of
from tests.issuing import AUDIENCE, Issuer, issuing, rsa_key

OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), "default")


@dataclass(frozen=True)
class Door:
    """A server in this process, an issuer that it trusts, and nothing else that it does."""

    http: httpx.AsyncClient
    bench: Bench
    issuer: Issuer

    async def knock(self, token: str, path: str = "/threads") -> httpx.Response:
        return await self.http.post(path, json={}, headers={"authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        issuer.keys.insert(0, rsa_key())
        yield issuer


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path, issuer: Issuer) -> AsyncIterator[Bench]:
    claims = {"tenant": "", "tenant_claim": "org", "tenants": ["default"], "approves_claim": "realm.approves"}
    trusted = IssuerSettings(**issuer.settings(**claims, roles={"ops": "operator"}, scopes_claim="tools"))
    async with fresh_bench(postgres, folder, oidc=[trusted]) as bench:
        yield bench


@pytest.fixture
async def door(bench: Bench, issuer: Issuer) -> AsyncIterator[Door]:
    issuer.alive = True
    bench = _with_issuer(bench, pause_s=0)
    app = create_app(lambda: None, max_body_bytes=10_000)  # type: ignore[arg-type,return-value]  # opened before
    app.state.engine = bench.engine
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield Door(http, bench, issuer)


def _with_issuer(bench: Bench, *, pause_s: float) -> Bench:
    """The same engine with keys that are not fetched yet."""
    engine = bench.engine
    issuers = Issuers(engine.settings.oidc, httpx.AsyncClient(), pause_s=pause_s)
    return replace(bench, engine=replace(engine, entrance=replace(engine.entrance, issuers=issuers)))


def claims(issuer: Issuer, **more: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {"iss": issuer.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 60, "roles": ["caller"]}
    return said | {"org": "default"} | more


def written(*parts: Any) -> str:
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def unsigned(issuer: Issuer) -> str:
    return written({"alg": "none", "kid": issuer.keys[-1].kid}, claims(issuer)) + "."


def signed_with_the_public_key(issuer: Issuer) -> str:
    """The old confusion: what everybody may know of an RSA key, taken for a secret."""
    said = written({"alg": "HS256", "kid": "rsa"}, claims(issuer))
    mac = hmac.digest(rsa_key().as_pem(private=False), said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def by_a_stranger(issuer: Issuer) -> str:
    forged = OKPKey.generate_key("Ed25519", {"kid": issuer.keys[-1].kid})
    return issuer.token(forged, org="default")


def with_changed_claims(issuer: Issuer) -> str:
    header, _, signature = issuer.token(org="default").split(".")
    return f"{header}.{written(claims(issuer, roles=['operator']))}.{signature}"


async def test_a_token_lets_its_person_in_and_says_what_they_may(door: Door) -> None:
    said = {"roles": ["ops"], "realm": {"approves": ["finance"]}, "tools": "billing:read billing:refund"}

    reply = await door.knock(door.issuer.token(sub="ada", org="default", **said))

    async with door.bench.engine.database.transaction() as conn:
        known = await principal_of(conn, "oidc:ada", tenant="default")
    assert reply.status_code == 200
    scopes = frozenset({"billing:read", "billing:refund"})
    assert known == Principal("oidc:ada", frozenset({"operator"}), frozenset({"finance"}), "default", scopes)


async def test_an_rsa_token_counts_too(door: Door) -> None:
    assert (await door.knock(door.issuer.token(rsa_key(), org="default"))).status_code == 200


@pytest.mark.parametrize(
    "forged", [unsigned, signed_with_the_public_key, by_a_stranger, with_changed_claims], ids=lambda f: f.__name__
)
async def test_what_the_issuer_did_not_sign_opens_nothing(door: Door, forged: Any) -> None:
    assert problem_of(await door.knock(forged(door.issuer))) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "said",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://another.example.org"},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"exp": float("inf")},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"iat": None},
        {"sub": None},
        {"sub": "two words"},
        {"org": "elsewhere"},
        {"org": None},
        {"org": ["default", "elsewhere"]},
        {"roles": None},
        {"roles": ["admin"]},
        {"roles": {"caller": True}},
    ],
    ids="+".join,
)
async def test_a_token_that_says_something_else_opens_nothing(door: Door, said: dict[str, Any]) -> None:
    token = door.issuer.token(**{"sub": "eve", "org": "default"} | said)

    assert problem_of(await door.knock(token)) == (401, "unauthenticated")
    async with door.bench.engine.database.transaction() as conn:
        assert "oidc:eve" not in {row["name"] for row in await list_people(conn, tenant="default")}


async def test_the_tenant_comes_from_the_token_alone(door: Door) -> None:
    token = door.issuer.token(org="default")
    headers = {"authorization": f"Bearer {token}", "x-tenant": "elsewhere"}

    reply = await door.http.post("/threads?tenant=elsewhere", json={}, headers=headers)

    rows = await door.bench.rows("SELECT tenant FROM thread WHERE id = %s", reply.json()["thread_id"])
    assert rows == [{"tenant": "default"}]


async def test_a_token_is_no_api_key(door: Door) -> None:
    reply = await door.http.post("/threads", json={}, headers={"x-api-key": door.issuer.token(org="default")})

    assert problem_of(reply) == (401, "unauthenticated")


async def test_keys_are_fetched_once_and_again_when_they_rotate(door: Door) -> None:
    before = len(door.issuer.asked)
    first = [(await door.knock(door.issuer.token(org="default"))).status_code for _ in range(3)]
    once = len(door.issuer.asked) - before
    old = door.issuer.token(org="default")
    door.issuer.rotate()

    rotated = await door.knock(door.issuer.token(org="default"))

    assert (first, once) == ([200] * 3, 2)  # the discovery document and the keys
    assert rotated.status_code == 200
    assert problem_of(await door.knock(old)) == (401, "unauthenticated")


async def test_unknown_keys_do_not_make_the_server_ask_again_and_again(door: Door) -> None:
    slow = _with_issuer(door.bench, pause_s=60)
    forged = [door.issuer.token(OKPKey.generate_key("Ed25519", {"kid": f"k{n}"}), org="default") for n in range(20)]
    issuers, before = slow.engine.entrance.issuers, len(door.issuer.asked)

    for token in forged:
        with pytest.raises(Unauthenticated):
            await issuers.verified(token)

    assert len(door.issuer.asked) - before == 2


async def test_a_dead_issuer_is_no_fault_of_ours(door: Door) -> None:
    door.issuer.alive = False

    reply = await door.knock(door.issuer.token(org="default"))

    assert problem_of(reply) == (503, "issuer_unavailable")
    assert int(reply.headers["retry-after"]) >= 0
    async with door.bench.engine.database.transaction() as conn:
        key = await create_key(conn, "while-it-is-away", ["caller"])
    assert (await door.http.post("/threads", json={}, headers={"x-api-key": key})).status_code == 200


async def test_known_keys_serve_on_while_their_issuer_is_away(door: Door) -> None:
    await door.knock(door.issuer.token(org="default"))
    door.issuer.alive = False

    assert (await door.knock(door.issuer.token(org="default"))).status_code == 200


async def test_an_older_token_gives_nothing_back_that_the_newest_took(door: Door) -> None:
    now = int(time.time())
    older = door.issuer.token(sub="fay", org="default", roles=["caller", "operator"], iat=now - 60)
    await door.knock(older)
    await door.knock(door.issuer.token(sub="fay", org="default", roles=["caller"], iat=now))

    reply = await door.http.get("/runs/stuck", headers={"authorization": f"Bearer {older}"})

    async with door.bench.engine.database.transaction() as conn:
        known = await principal_of(conn, "oidc:fay", tenant="default")
    assert problem_of(reply) == (403, "forbidden")
    assert known.roles == {"caller"}


async def test_who_is_blocked_is_out_at_once_whatever_their_token_says(door: Door) -> None:
    token = door.issuer.token(sub="gus", org="default")
    await door.knock(token)

    async with door.bench.engine.database.transaction() as conn:
        await block(conn, "oidc:gus", OLU)
    blocked = await door.knock(door.issuer.token(sub="gus", org="default"))
    async with door.bench.engine.database.transaction() as conn:
        await unblock(conn, "oidc:gus", OLU)
        records = [link.record for link in await audit.chain(conn, "person:default:oidc:gus")]

    assert problem_of(blocked) == (401, "unauthenticated")
    assert (await door.knock(token)).status_code == 200
    assert [record["event"] for record in records] == ["person.seen", "person.blocked", "person.unblocked"]


async def test_nobody_blocks_people_of_another_tenant(door: Door) -> None:
    await door.knock(door.issuer.token(sub="gus", org="default"))

    async with door.bench.engine.database.transaction() as conn:
        with pytest.raises(NotFound):
            await block(conn, "oidc:gus", replace(OLU, tenant="elsewhere"))


@pytest.mark.parametrize(
    ("issuers", "said"),
    [
        ([{"tenant": ""}], "needs either"),
        ([{"tenant_claim": "org"}], "needs either"),
        ([{"issuer": "http://id.example.org"}], "https only"),
        ([{"name": "key"}], "names something else"),
        ([{}, {"issuer": "https://b.example.org"}], "two issuers have the same `name`"),
        ([{}, {"name": "b", "issuer": "https://b.example.org", "tenant": "", "tenant_claim": "t"}], "needs `tenants`"),
    ],
)
def test_issuers_that_cannot_be_told_apart_are_refused(issuers: list[dict[str, Any]], said: str) -> None:
    first = {"issuer": "https://a.example.org", "audience": "x", "tenant": "default"}

    with pytest.raises(Exception, match=said):
        read_settings(oidc=[first | more for more in issuers])
