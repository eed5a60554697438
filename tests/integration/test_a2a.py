"""Assistants as A2A agents, called by the official client over real HTTP."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.helpers.proto_helpers import get_data_parts, new_data_message, new_text_message
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError

from tests.cases import GRAPH, client_of, refunds_of
from tests.conftest import People, Site
from tests.integration.test_bad_requests import problem_of
from tests.integration.test_sdk import claim_of

USER = pb.ROLE_USER


@asynccontextmanager
async def agent_of(url: str, key: str, *, streaming: bool = False) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(headers={"x-api-key": key}, timeout=60) as http:
        card = await A2ACardResolver(http, f"{url}/a2a/{GRAPH}").get_agent_card()
        yield ClientFactory(ClientConfig(streaming=streaming, httpx_client=http)).create(card)


def asking(data: Any, **parts: Any) -> pb.SendMessageRequest:
    return pb.SendMessageRequest(message=new_data_message(data, role=USER, **parts))


async def sent(client: Client, request: pb.SendMessageRequest) -> list[Any]:
    """What comes back, without its envelopes."""
    found = []
    async for answer in client.send_message(request):
        found.append(getattr(answer, str(answer.WhichOneof("payload"))))
    return found


async def test_a_message_opens_a_case_and_answers_with_its_result(url: str, site: Site, people: People) -> None:
    claim = claim_of(site.worlds)

    async with agent_of(url, people.ada) as client:
        task = (await sent(client, asking(claim)))[0]
        again = await client.get_task(pb.GetTaskRequest(id=task.id))

    assert task.status.state == pb.TASK_STATE_COMPLETED
    assert get_data_parts(task.artifacts[0].parts)[0]["outcome"] == "completed"
    assert again == task
    assert refunds_of(site.worlds, claim["account_id"]) == [2_500]


async def test_a_stream_begins_with_the_task_and_ends_with_its_state(url: str, site: Site, people: People) -> None:
    async with agent_of(url, people.ada, streaming=True) as client:
        events = await sent(client, asking(claim_of(site.worlds)))

    assert [type(event).__name__ for event in events] == ["Task", "TaskArtifactUpdateEvent", "TaskStatusUpdateEvent"]
    assert events[-1].status.state == pb.TASK_STATE_COMPLETED


async def test_a_task_that_waits_for_a_person_is_not_decided_here(url: str, site: Site, people: People) -> None:
    claim, sdk = claim_of(site.worlds, amount_cents=25_000), client_of(url, people.fin)

    async with agent_of(url, people.ada) as client:
        waiting = (await sent(client, asking(claim)))[0]
        asked = get_data_parts(waiting.status.message.parts)[0]["__interrupt__"][0]
        with pytest.raises(A2AError, match="whom it waits for"):
            await sent(client, asking({"type": "approve"}, task_id=waiting.id, context_id=waiting.context_id))
        with pytest.raises(A2AError, match="waits for a decision"):
            await sent(client, asking(claim, context_id=waiting.context_id))
        paid_before = refunds_of(site.worlds, claim["account_id"])
        await sdk.runs.wait(waiting.context_id, GRAPH, command={"resume": {asked["id"]: {"type": "approve"}}})
        done = await client.get_task(pb.GetTaskRequest(id=waiting.id))

    assert (waiting.status.state, asked["value"]["kind"]) == (pb.TASK_STATE_INPUT_REQUIRED, "approval")
    assert paid_before == []
    assert done.status.state == pb.TASK_STATE_COMPLETED
    assert refunds_of(site.worlds, claim["account_id"]) == [25_000]


async def test_a_task_that_waits_can_be_cancelled(url: str, site: Site, people: People) -> None:
    claim = claim_of(site.worlds, amount_cents=25_000)

    async with agent_of(url, people.ada) as client, agent_of(url, people.ben) as other:
        waiting = (await sent(client, asking(claim)))[0]
        with pytest.raises(A2AError):
            await other.cancel_task(pb.CancelTaskRequest(id=waiting.id))
        ended = await client.cancel_task(pb.CancelTaskRequest(id=waiting.id))

    assert ended.status.state == pb.TASK_STATE_CANCELED


async def test_another_tenant_finds_neither_task_nor_context(
    url: str, site: Site, people: People, stranger: str
) -> None:
    async with agent_of(url, people.ada) as client, agent_of(url, stranger) as other:
        task = (await sent(client, asking(claim_of(site.worlds))))[0]
        with pytest.raises(A2AError, match="no run"):
            await other.get_task(pb.GetTaskRequest(id=task.id))
        with pytest.raises(A2AError):
            await sent(other, asking(claim_of(site.worlds), context_id=task.context_id))


@pytest.mark.parametrize(
    "request_",
    [
        asking({}),
        asking({"complaint": 5}),
        asking([1]),
        asking({"complaint": "x", "account_id": "AC-70000000"}, context_id="x"),
        pb.SendMessageRequest(message=new_text_message("hello", role=USER)),
    ],
    ids=lambda _: "",
)
async def test_a_message_that_cannot_be_is_a_clear_error(
    url: str, people: People, request_: pb.SendMessageRequest
) -> None:
    async with agent_of(url, people.ada) as client:
        with pytest.raises(A2AError):
            await sent(client, request_)
        for task_id in ("x", str(uuid.uuid4())):
            with pytest.raises(A2AError):
                await client.get_task(pb.GetTaskRequest(id=task_id))


async def test_a2a_wants_a_caller_s_key(http: httpx.AsyncClient, people: People) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "x"}}

    async def posted(key: str, name: str = GRAPH) -> tuple[int, str]:
        return problem_of(await http.post(f"/a2a/{name}", json=call, headers={"x-api-key": key}))

    assert await posted("wrong") == (401, "unauthenticated")
    assert await posted(people.fin) == (403, "forbidden")
    assert await posted(people.ada, "nothing") == (404, "not_found")
    assert problem_of(await http.get(f"/a2a/{GRAPH}/.well-known/agent-card.json")) == (401, "unauthenticated")
