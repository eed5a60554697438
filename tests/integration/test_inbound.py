"""What is signed starts one case: messages of agents, events of systems. What is not, starts none and is recorded."""

import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from api.app import create_app
from engine.access.attempts import STREAM
from engine.access.keys import Principal
from engine.access.senders import NewSender, add_sender, revoke_sender, stream_of
from engine.audit import audit
from engine.webhooks.signing import signature_headers
from tests.cases import GRAPH, TWICE
from tests.conftest import SEAL_KEY
from tests.engines import Bench, fresh_bench
from tests.integration.test_bad_requests import problem_of

OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), "default")


@dataclass(frozen=True)
class Gate:
    """A server in this process, an agent and a hook that may start disputes, and a stranger."""

    http: httpx.AsyncClient
    bench: Bench
    key: OKPKey
    agent: str
    hook: str
    secret: bytes

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        schema = {"id": f"{GRAPH}.input", "version": self.bench.engine.catalog[GRAPH].input_version}
        said = {"iss": self.agent, "aud": GRAPH, "jti": uuid.uuid4().hex, "iat": now, "exp": now + 60}
        written = {"schema": schema, "input": {"complaint": TWICE, "account_id": self.bench.new_account()}}
        return {name: value for name, value in (said | written | more).items() if value is not None}

    def signed(self, key: OKPKey | None = None, **more: Any) -> str:
        header = {"alg": "Ed25519", "kid": self.agent}
        return jwt.encode(header, self.claims(**more), key or self.key, algorithms=["Ed25519"])

    async def send(self, message: str, to: str = GRAPH) -> httpx.Response:
        return await self.http.post(f"/inbound/{to}", json={"message": message})

    async def tell(self, event: Any, *, secret: bytes = b"", **headers: str) -> httpx.Response:
        body = json.dumps(event).encode()
        signed = signature_headers(secret or self.secret, "evt-1", int(time.time()), body) | headers
        return await self.http.post(f"/hooks/{self.hook}", content=body, headers=signed)

    async def cases(self) -> int:
        return int((await self.bench.rows("SELECT count(*) AS n FROM run WHERE kind = 'input'"))[0]["n"])

    async def refusals(self, sender: str = "") -> list[str]:
        async with self.bench.engine.database.transaction() as conn:
            chain = await audit.chain(conn, stream_of(sender or self.agent))
        return [str(link.record["data"]["why"]) for link in chain if link.record["event"] == "message.refused"]


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder, failed_attempts=1000) as bench:
        yield bench


@pytest.fixture
async def gate(bench: Bench) -> AsyncIterator[Gate]:
    app = create_app(lambda: None, max_body_bytes=10_000)  # type: ignore[arg-type,return-value]  # opened before
    app.state.engine = bench.engine
    key, seal = OKPKey.generate_key("Ed25519"), bytes.fromhex(SEAL_KEY)
    async with bench.engine.database.transaction() as conn:
        agent = NewSender(uuid.uuid4().hex, "agent", GRAPH, key.as_dict(private=False))
        agent_id, _ = await add_sender(conn, agent, OLU, seal)
        hook_id, secret = await add_sender(conn, NewSender(uuid.uuid4().hex, "hook", GRAPH), OLU, seal)
    assert secret
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        yield Gate(http, bench, key, agent_id, hook_id, secret)


async def test_an_agent_s_message_starts_one_case_in_its_name(gate: Gate) -> None:
    before = await gate.cases()

    reply = await gate.send(gate.signed())

    rows = await gate.bench.rows("SELECT requester, tenant FROM run WHERE thread_id = %s", reply.json()["thread_id"])
    assert (reply.status_code, await gate.cases() - before) == (200, 1)
    assert rows[0]["requester"].startswith("sender:")
    assert rows[0]["tenant"] == "default"


async def test_the_case_is_carried_out(gate: Gate) -> None:
    reply = await gate.send(gate.signed())
    await gate.bench.go_on()

    rows = await gate.bench.rows("SELECT status FROM run WHERE thread_id = %s", reply.json()["thread_id"])
    assert rows[0]["status"] == "interrupted"


async def test_a_replayed_message_starts_nothing_more(gate: Gate) -> None:
    message = gate.signed()
    first, before = await gate.send(message), await gate.cases()

    again = await gate.send(message)

    assert problem_of(again) == (409, "already_exists")
    assert again.json()["thread_id"] == first.json()["thread_id"]
    assert await gate.cases() == before
    assert await gate.refusals() == ["already_exists: This message was taken before."]


NOT_FOR_US: dict[str, dict[str, Any]] = {
    "unknown schema": {"schema": {"id": "other.input", "version": "1"}},
    "another version": {"schema": {"id": f"{GRAPH}.input", "version": "0" * 16}},
    "foreign tenant": {"tenant": "elsewhere"},
    "living too long": {"exp": int(time.time()) + 90_000},
    "no object": {"input": "refund me"},
    "scope is no text": {"scope": ["billing:read"]},
}


@pytest.mark.parametrize("said", NOT_FOR_US.values(), ids=NOT_FOR_US)
async def test_what_is_written_for_somebody_else_starts_nothing(gate: Gate, said: dict[str, Any]) -> None:
    before = await gate.cases()

    reply = await gate.send(gate.signed(**said))

    assert problem_of(reply) == (403, "message_refused")
    assert (await gate.cases(), len(await gate.refusals())) == (before, 1)


async def test_a_readdressed_message_starts_nothing(gate: Gate) -> None:
    before = await gate.cases()

    reply = await gate.send(gate.signed(), to="procurement")

    assert problem_of(reply) == (403, "message_refused")
    assert (await gate.cases(), len(await gate.refusals())) == (before, 1)


@pytest.mark.parametrize(
    "said",
    [{"exp": 1}, {"exp": None}, {"jti": None}, {"iat": None}, {"aud": "procurement"}, {"iss": "snd_" + "0" * 16}],
)
async def test_what_is_not_signed_for_now_and_here_starts_nothing(gate: Gate, said: dict[str, Any]) -> None:
    before = await gate.cases()

    assert problem_of(await gate.send(gate.signed(**said))) == (401, "unauthenticated")
    assert await gate.cases() == before


async def test_a_forged_or_unsigned_message_starts_nothing_and_is_recorded(gate: Gate) -> None:
    before = await gate.cases()
    forged = gate.signed(OKPKey.generate_key("Ed25519", {"kid": gate.agent}))
    header, body, _ = gate.signed().split(".")

    replies = [await gate.send(message) for message in (forged, f"{header}.{body}.", "nonsense")]
    await gate.bench.engine.entrance.attempts.close()

    async with gate.bench.engine.database.transaction() as conn:
        assert await audit.chain(conn, STREAM)
    assert {problem_of(reply) for reply in replies} == {(401, "unauthenticated")}
    assert await gate.cases() == before


async def test_a_revoked_sender_starts_nothing_and_what_it_began_does_nothing_more(gate: Gate) -> None:
    reply = await gate.send(gate.signed())
    async with gate.bench.engine.database.transaction() as conn:
        await revoke_sender(conn, gate.agent, OLU)

    assert problem_of(await gate.send(gate.signed())) == (401, "unauthenticated")
    await gate.bench.go_on()
    rows = await gate.bench.rows("SELECT error FROM run WHERE thread_id = %s", reply.json()["thread_id"])
    assert rows[0]["error"]["error"] == "rights_missing"


async def test_a_message_narrows_what_its_case_may_use(gate: Gate) -> None:
    reply = await gate.send(gate.signed(scope="mail:send"))
    await gate.bench.go_on()

    rows = await gate.bench.rows("SELECT * FROM run WHERE thread_id = %s", reply.json()["thread_id"])
    assert rows[0]["error"]["error"] == "rights_missing"


async def test_a_signed_event_starts_one_case_however_often_it_comes(gate: Gate) -> None:
    event = {"type": "dispute.opened", "data": {"complaint": TWICE, "account_id": gate.bench.new_account()}}
    before = await gate.cases()

    replies = [await gate.tell(event) for _ in range(3)]

    assert [reply.json()["again"] for reply in replies] == [False, True, True]
    assert len({reply.json()["thread_id"] for reply in replies}) == 1
    assert await gate.cases() - before == 1


@pytest.mark.parametrize(
    "how",
    [
        {"secret": b"x" * 32},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-id": "evt-2"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "9" * 30},
        {"webhook-timestamp": "now"},
    ],
    ids="+".join,
)
async def test_a_forged_event_starts_nothing(gate: Gate, how: dict[str, Any]) -> None:
    before = await gate.cases()

    reply = await gate.tell({"complaint": TWICE, "account_id": gate.bench.new_account()}, **how)

    assert problem_of(reply) == (401, "unauthenticated")
    assert await gate.cases() == before


async def test_an_event_that_the_workflow_cannot_use_is_recorded(gate: Gate) -> None:
    before = await gate.cases()

    assert problem_of(await gate.tell({"nothing": "of use"})) == (422, "invalid_request")
    assert (await gate.cases(), len(await gate.refusals(gate.hook))) == (before, 1)


async def test_the_secret_of_a_hook_is_kept_sealed(gate: Gate) -> None:
    rows = await gate.bench.rows("SELECT * FROM sender WHERE id = %s", gate.hook)

    assert gate.secret not in bytes(rows[0]["sealed_secret"])
    await gate.bench.rows("UPDATE sender SET tenant = 'elsewhere' WHERE id = %s", gate.hook)
    moved = await gate.tell({"complaint": TWICE, "account_id": gate.bench.new_account()})
    assert problem_of(moved) == (500, "seal_broken")
