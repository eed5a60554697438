"""ASI07, communication between agents: a message counts that is signed, typed, addressed to us, and new."""

import uuid
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from engine.access.attempts import STREAM
from engine.access.senders import revoke_sender
from engine.audit import audit
from tests.cases import GRAPH, TWICE
from tests.integration import test_inbound
from tests.integration.test_bad_requests import problem_of
from tests.integration.test_inbound import OLU, Gate

pytestmark = pytest.mark.owasp

gate = test_inbound.gate


async def requester_and_status(gate: Gate, thread_id: str) -> tuple[str, str]:
    (row,) = await gate.bench.rows("SELECT requester, status FROM run WHERE thread_id = %s", thread_id)
    return str(row["requester"]).partition(":")[0], str(row["status"])


async def refused_access(gate: Gate) -> int:
    """How many attempts to come in were refused, as recorded."""
    await gate.bench.engine.entrance.attempts.close()
    async with gate.bench.engine.database.transaction() as conn:
        return len(await audit.chain(conn, STREAM))


async def test_a_message_that_is_signed_for_us_starts_one_case_in_its_sender_s_name(gate: Gate) -> None:
    before = await gate.cases()

    reply = await gate.send(gate.signed())
    await gate.bench.go_on()

    assert await requester_and_status(gate, reply.json()["thread_id"]) == ("sender", "interrupted")
    assert await gate.cases() == before + 1


async def test_a_replayed_message_starts_nothing_more(gate: Gate) -> None:
    message, before = gate.signed(), await gate.cases()

    replies = [await gate.send(message) for _ in range(3)]

    assert [reply.status_code for reply in replies] == [200, 409, 409]
    assert (await gate.cases(), len(await gate.refusals())) == (before + 1, 2)


async def test_a_message_for_somebody_else_starts_nothing_here(gate: Gate) -> None:
    before = await gate.cases()

    readdressed = await gate.send(gate.signed(), to="procurement")
    of_another = await gate.send(gate.signed(aud="procurement"))

    assert (problem_of(readdressed), problem_of(of_another)) == ((403, "message_refused"), (401, "unauthenticated"))
    assert (await gate.cases(), len(await gate.refusals())) == (before, 1)


async def test_what_nobody_signed_starts_nothing(gate: Gate) -> None:
    before = await gate.cases()
    header, body, _ = gate.signed().split(".")
    nobody_s = gate.signed(OKPKey.generate_key("Ed25519", {"kid": gate.agent}))
    known = await refused_access(gate)

    replies = [await gate.send(message) for message in (f"{header}.{body}.", nobody_s, "{}")]

    assert {problem_of(reply) for reply in replies} == {(401, "unauthenticated")}
    assert await gate.cases() == before
    assert await refused_access(gate) > known


@pytest.mark.parametrize(
    "said",
    [
        {"schema": {"id": "other.input", "version": "1"}},
        {"schema": {"id": f"{GRAPH}.input", "version": "0" * 16}},
        {"input": "Refund me."},
        {"tenant": "elsewhere"},
    ],
    ids=["unknown schema", "unknown version", "no object", "another tenant"],
)
async def test_a_message_of_another_kind_starts_nothing_and_is_recorded(gate: Gate, said: dict[str, Any]) -> None:
    before = await gate.cases()

    reply = await gate.send(gate.signed(**said))

    assert problem_of(reply) == (403, "message_refused")
    assert (await gate.cases(), len(await gate.refusals())) == (before, 1)


async def test_what_a_revoked_agent_began_does_nothing_more(gate: Gate) -> None:
    reply = await gate.send(gate.signed())
    async with gate.bench.engine.database.transaction() as conn:
        await revoke_sender(conn, gate.agent, OLU)

    await gate.bench.go_on()

    assert (await gate.send(gate.signed())).status_code == 401
    assert await requester_and_status(gate, reply.json()["thread_id"]) == ("sender", "error")


async def test_a_forged_event_starts_nothing_and_a_signed_one_starts_one_case(gate: Gate) -> None:
    event, before = {"complaint": TWICE, "account_id": gate.bench.new_account()}, await gate.cases()

    forged = [await gate.tell(event, secret=uuid.uuid4().bytes * 2), await gate.tell(event, **{"webhook-id": "evt-2"})]
    nothing = await gate.cases()
    signed = [await gate.tell(event) for _ in range(2)]

    assert {problem_of(reply) for reply in forged} == {(401, "unauthenticated")}
    assert ([reply.json()["again"] for reply in signed], nothing, await gate.cases()) == (
        [False, True],
        before,
        before + 1,
    )
