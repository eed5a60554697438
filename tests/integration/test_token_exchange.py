"""Systems with an authorisation server of their own get its tokens: exchanged, kept until shortly before their end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from contracts.errors import ToolRefused, ToolUnavailable
from engine.gateway.capability import OnBehalf, mint_of
from engine.gateway.credentials import HEADER, Credentials
from engine.gateway.exchange import Exchanger, ExchangeSettings
from tests.issuing import Issuer, issuing
from tools import billing

ADA = OnBehalf("key:ada", "default", "agent:trial", "v1", "run-1", "approval:1", "d" * 64)
TOOL = billing.issue_refund


@dataclass(frozen=True)
class Counter:
    """Where tokens are exchanged, and who does it."""

    issuer: Issuer
    exchanger: Exchanger
    credentials: Credentials

    async def sent(self, behalf: OnBehalf = ADA) -> httpx.Request:
        """A request as it would be sent."""
        request = httpx.Request("POST", "https://billing.example.org/refunds", json={})
        await self.credentials.put_on(request, behalf, TOOL, writes=True)
        return request


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
async def counter(issuer: Issuer, tmp_path: Path) -> AsyncIterator[Counter]:
    mint = mint_of("ab" * 32, tmp_path, "gatehouse")
    known = ExchangeSettings(
        token_endpoint=f"{issuer.url}/token", client_id="gatehouse", client_secret="s3cret", audience="billing"
    )
    async with httpx.AsyncClient() as http:
        exchanger = Exchanger({TOOL.system: known}, mint, http)
        yield Counter(issuer, exchanger, Credentials(mint, exchanger))


async def test_a_token_is_had_for_who_asks_and_who_acts(counter: Counter) -> None:
    request = await counter.sent()

    ((form, client),) = counter.issuer.exchanged
    keys = KeySet.import_key_set(counter.credentials.mint.published())
    subject = jwt.decode(form["subject_token"], keys, algorithms=["Ed25519"]).claims
    assert request.headers["authorization"] == "Bearer outside-1"
    assert request.headers[HEADER].count(".") == 2
    assert client == httpx.BasicAuth("gatehouse", "s3cret")._auth_header
    assert (form["audience"], form["scope"]) == ("billing", " ".join(TOOL.scopes))
    assert (subject["sub"], subject["act"]) == ("key:ada", {"sub": "agent:trial@v1"})
    assert subject["aud"] == f"{counter.issuer.url}/token"


async def test_many_calls_at_once_ask_once(counter: Counter) -> None:
    sent = await asyncio.gather(*(counter.sent() for _ in range(20)))

    assert {request.headers["authorization"] for request in sent} == {"Bearer outside-1"}
    assert len(counter.issuer.exchanged) == 1


async def test_another_requester_gets_another_token(counter: Counter) -> None:
    first, second = await counter.sent(), await counter.sent(replace(ADA, requester="key:ben"))
    third = await counter.sent(replace(ADA, tenant="elsewhere"))

    assert len({request.headers["authorization"] for request in (first, second, third)}) == 3


async def test_it_is_had_anew_shortly_before_its_end(counter: Counter) -> None:
    short = {"access_token": "short", "token_type": "Bearer", "expires_in": 20}
    counter.issuer.answers.append((200, short))

    found = [(await counter.sent()).headers["authorization"] for _ in range(2)]

    assert found == ["Bearer short", "Bearer outside-2"]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "invalid_grant"}, ToolRefused),
        (500, {}, ToolUnavailable),
        (200, {"token_type": "Bearer"}, ToolRefused),
        (200, {"access_token": "x", "token_type": "mac"}, ToolRefused),
        (200, {"access_token": ["x"], "token_type": "Bearer"}, ToolRefused),
    ],
)
async def test_without_a_token_nothing_is_sent(
    counter: Counter, status: int, body: dict[str, Any], error: type[Exception]
) -> None:
    counter.issuer.answers.append((status, body))

    with pytest.raises(error) as refused:
        await counter.sent()

    assert "s3cret" not in str(refused.value)
    assert (await counter.sent()).headers["authorization"].startswith("Bearer outside-")
