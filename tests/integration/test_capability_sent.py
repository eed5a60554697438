"""Every request of a case carries a capability that an outside system accepts, and no token is kept anywhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import KeySet

from engine.gateway.capability import token_family
from tests.engines import Bench, fresh_bench
from tests.integration.test_audit_trail import everything
from tests.resource_server import ResourceServer, Wanted
from tools import billing, mail


def wanted(tool: object, action: str) -> Wanted:
    return Wanted(f"{tool.name}@{tool.version}", tool.scopes[0], action)  # type: ignore[attr-defined]


ROUTES = {
    ("GET", "/charges"): [wanted(billing.list_charges, "read"), wanted(billing.issue_refund, "read")],
    ("GET", "/plans"): [wanted(billing.read_price_plan, "read")],
    ("POST", "/refunds"): [wanted(billing.issue_refund, "write")],
    ("POST", "/messages"): [wanted(mail.send_reply, "write")],
}


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture
def servers(bench: Bench) -> dict[str, ResourceServer]:
    """The systems of the case, each behind a resource server of its own."""
    systems = bench.engine.carrier.systems
    assert systems.credentials
    keys = KeySet.import_key_set(systems.credentials.mint.published())
    servers = {name: ResourceServer(bench.worlds[name], keys, ROUTES) for name in ("billing", "mail")}
    for name, server in servers.items():
        client = httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url=f"http://{name}")
        systems.use(name, client)
    return servers


async def test_a_case_is_served_by_systems_that_trust_nobody(bench: Bench, servers: dict[str, ResourceServer]) -> None:
    run, request = await bench.parked_case()
    await bench.approve(run)
    await bench.go_on()

    served = [claims for server in servers.values() for claims in server.served]
    (paid,) = [claims for claims in served if claims["authorization_details"][0]["path"] == "/refunds"]
    assert (await bench.again(run)).case_id == run.case_id
    assert bench.refunds(str(request.args["account_id"])) == [25_000]
    assert [server.refused for server in servers.values()] == [[], []]
    assert {claims["sub"] for claims in served} == {"key:ada"}
    assert paid["act"] == {"sub": f"agent:billing_dispute@{run.version}"}
    assert paid["authorization_details"][0]["action_digest"] == request.action_digest
    assert len({claims["jti"] for claims in served}) == len(served)


async def test_the_trail_names_the_family_of_a_token_and_no_token_is_kept(
    bench: Bench, servers: dict[str, ResourceServer]
) -> None:
    run, request = await bench.parked_case()
    await bench.approve(run)
    await bench.go_on()

    text = await everything(bench, run)
    tokens = [token for server in servers.values() for token in server.tokens]
    started = [data for event, data in await bench.events(run) if event == "call.started"]
    assert tokens
    assert [part for token in tokens for part in (token, *token.split(".")[1:]) if part in text] == []
    (paid,) = [data for data in started if data["approval_id"] == request.id]
    assert paid["jti"] == token_family(paid["call_key"])
    families = {claims["jti"].partition(".")[0] for server in servers.values() for claims in server.served}
    previewed = [data for event, data in await bench.events(run) if event == "call.previewed"]
    assert families <= {data["jti"] for data in (*started, *previewed)}
    assert len(previewed) == 1


@pytest.mark.parametrize(("placing", "where"), [("header", "gatehouse-capability"), ("off", None)])
async def test_where_it_is_put_is_configured(postgres: str, folder: Path, placing: str, where: str | None) -> None:
    seen: list[httpx.Headers] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(503)

    async with fresh_bench(postgres, folder, capabilities={"billing": placing}) as bench:
        client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://billing")
        bench.engine.carrier.systems.use("billing", client)
        await bench.open_case()
        await bench.go_on()

    assert seen
    assert all("authorization" not in headers for headers in seen)
    assert all((where or "gatehouse-capability") in headers for headers in seen) == bool(where)
