"""ASI03, identity and privilege: rights that were given for one call are used for another, by another or later."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import httpx
import pytest
from joserfc.jwk import KeySet

from api.limits import TokenBody, introspect
from contracts.errors import NotFound
from engine.access.keys import Principal, create_key
from engine.runs.runs import get_run
from tests import resource_server
from tests.engines import TENANT, Bench, refund_requests, refused
from tests.owasp.hijacked import played
from tests.resource_server import ResourceServer, Wanted
from tools import billing

pytestmark = pytest.mark.owasp

STRANGER = Principal("key:stranger", frozenset({"caller", "operator"}), frozenset({"finance"}), "elsewhere")
SERVER = Principal("key:billing", frozenset({"caller"}), frozenset(), TENANT)


def wanted(tool: object, action: str) -> Wanted:
    return Wanted(f"{tool.name}@{tool.version}", tool.scopes[0], action)  # type: ignore[attr-defined]


ROUTES = {
    ("GET", "/charges"): [wanted(billing.list_charges, "read"), wanted(billing.issue_refund, "read")],
    ("GET", "/plans"): [wanted(billing.read_price_plan, "read")],
    ("POST", "/refunds"): [wanted(billing.issue_refund, "write")],
}


@dataclass
class Overheard:
    """The billing system, which trusts nobody, and somebody who sees every request to it."""

    bench: Bench
    server: ResourceServer
    http: httpx.AsyncClient = field(init=False)
    requests: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(self.server)
        hooks = {"request": [self._hear]}
        self.http = httpx.AsyncClient(transport=transport, base_url="http://billing", event_hooks=hooks)

    async def _hear(self, request: httpx.Request) -> None:
        self.requests.append(request)

    async def pay(self) -> tuple[httpx.Request, str]:
        """The request that paid a case that finance approved, and whose account it was."""
        run, shown = await self.bench.parked_case()
        await self.bench.approve(run)
        await self.bench.go_on()
        return next(r for r in self.requests if r.method == "POST"), str(shown.args["account_id"])

    async def send_again(self, request: httpx.Request, **changed: object) -> int:
        content = json.dumps(json.loads(request.content) | changed).encode() if changed else request.content
        headers = {"authorization": request.headers["authorization"], "idempotency-key": "stolen"}
        return (await self.http.request(request.method, request.url, content=content, headers=headers)).status_code


@pytest.fixture
async def overheard(bench: Bench) -> AsyncIterator[Overheard]:
    systems = bench.engine.carrier.systems
    assert systems.credentials
    keys = KeySet.import_key_set(systems.credentials.mint.published())
    overheard = Overheard(bench, ResourceServer(bench.worlds["billing"], keys, ROUTES))
    systems.use("billing", overheard.http)
    yield overheard
    transport = httpx.ASGITransport(bench.worlds["billing"], raise_app_exceptions=False)
    systems.use("billing", httpx.AsyncClient(transport=transport, base_url="http://billing"))


async def test_a_case_with_a_right_to_each_call_is_served(overheard: Overheard) -> None:
    _, account = await overheard.pay()

    assert overheard.bench.refunds(account) == [25_000]
    assert overheard.server.refused == []


async def test_a_stolen_capability_serves_neither_again_nor_for_other_arguments(overheard: Overheard) -> None:
    request, account = await overheard.pay()

    replies = [await overheard.send_again(request), await overheard.send_again(request, amount_cents=99_900)]

    assert replies == [401, 401]
    assert overheard.server.refused == ["once", "digest, once"]
    assert overheard.bench.refunds(account) == [25_000]


async def test_a_stolen_capability_serves_neither_for_another_tool_nor_later(
    overheard: Overheard, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid, account = await overheard.pay()
    read = next(r for r in overheard.requests if r.method == "GET")
    paid.headers["authorization"] = read.headers["authorization"]

    elsewhere = await overheard.send_again(paid)
    monkeypatch.setattr(resource_server, "time", SimpleNamespace(time=lambda: time.time() + 61))
    late = await overheard.send_again(read)

    assert (elsewhere, late) == (401, 401)
    assert [("audience" in said, "expiry" in said) for said in overheard.server.refused] == [
        (True, False),
        (False, True),
    ]
    assert overheard.bench.refunds(account) == [25_000]


async def test_what_belongs_to_another_tenant_is_not_there(overheard: Overheard) -> None:
    run, _ = await overheard.bench.parked_case()
    token = TokenBody(token=overheard.requests[-1].headers["authorization"].removeprefix("Bearer "))

    known = [(await introspect(token, overheard.bench.engine, who)).active for who in (SERVER, STRANGER)]
    async with overheard.bench.engine.database.reading() as conn:
        with pytest.raises(NotFound):
            await get_run(conn, run.id, tenant=STRANGER.tenant)

    assert known == [True, False]


_TAKEN: dict[str, str] = {
    "revoked": "UPDATE api_key SET revoked_at = now() WHERE name = 'ada'",
    "without the scope": "UPDATE api_key SET scopes = '{billing:read}' WHERE name = 'ada'",
}


@pytest.mark.parametrize("taken", _TAKEN.values(), ids=_TAKEN)
async def test_what_was_revoked_between_plan_and_act_is_not_done(bench: Bench, taken: str) -> None:
    async with bench.engine.database.transaction() as conn:
        await create_key(conn, "ada", ["caller"])
    run, request = await bench.parked_case()
    leg = await bench.approve(run)
    await bench.rows(taken)

    await bench.go_on()

    assert await refused(bench, leg) == "rights_missing"
    assert refund_requests(bench, str(request.args["account_id"])) == 0


_DEPUTIES = {
    "deputy-reads-another-order": "policy_denied",
    "deputy-returns-to-another-card": "return-unless-own-method, return-unless-to-gift-card-or-back",
    "deputy-moves-another-account": "live-unless-own",
}


@pytest.mark.parametrize(("attack", "reason"), _DEPUTIES.items(), ids=_DEPUTIES)
async def test_an_agent_is_no_deputy_for_what_its_customer_may_not(bench: Bench, attack: str, reason: str) -> None:
    outcome = await played(bench, attack)

    assert (outcome.harmful, outcome.reasons) == ((), (reason,))
