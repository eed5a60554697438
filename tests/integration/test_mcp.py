"""Workflows as MCP tools, called by the official client over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.cases import GRAPH, client_of, refunds_of
from tests.conftest import People, Site
from tests.integration.test_bad_requests import problem_of
from tests.integration.test_sdk import claim_of


@asynccontextmanager
async def mcp_of(url: str, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"x-api-key": key}, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def test_every_workflow_is_a_tool(url: str, people: People) -> None:
    async with mcp_of(url, people.ada) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert GRAPH in tools
    assert set(tools[GRAPH].input_schema["properties"]) == {"complaint", "account_id"}
    assert tools[GRAPH].description


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_is_a_run_and_answers_with_its_result(url: str, site: Site, people: People, mode: str) -> None:
    claim = claim_of(site.worlds)

    async with mcp_of(url, people.ada, mode) as client:
        result: Any = await client.call_tool(GRAPH, claim)

    assert not result.is_error
    assert result.structured_content["outcome"] == "completed"
    assert refunds_of(site.worlds, claim["account_id"]) == [2_500]


async def test_a_call_that_waits_for_a_person_says_for_what_and_decides_nothing(
    url: str, site: Site, people: People
) -> None:
    claim = claim_of(site.worlds, amount_cents=25_000)

    async with mcp_of(url, people.ada) as client:
        waiting: Any = (await client.call_tool(GRAPH, claim)).structured_content
    thread: Any = await client_of(url, people.ada).threads.get(waiting["thread_id"])

    assert (waiting["status"], waiting["outcome"]) == ("interrupted", None)
    assert waiting["__interrupt__"][0]["value"]["kind"] == "approval"
    assert thread["status"] == "interrupted"
    assert refunds_of(site.worlds, claim["account_id"]) == []


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("nothing", {}, "not_found"),
        ("00000000-0000-4000-8000-000000000000", {}, "not_found"),
        (GRAPH, {}, "invalid_request"),
        (GRAPH, {"complaint": 5}, "invalid_request"),
        (GRAPH, {"complaint": "a\0b", "account_id": "AC-70000000"}, "invalid_request"),
    ],
)
async def test_a_call_that_cannot_be_is_an_error_of_the_tool(
    url: str, people: People, tool: str, arguments: Any, code: str
) -> None:
    async with mcp_of(url, people.ada) as client:
        result: Any = await client.call_tool(tool, arguments)

    assert (result.is_error, result.structured_content["error"]) == (True, code)


async def test_mcp_wants_a_caller_s_key(http: httpx.AsyncClient, people: People) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    replies = [await http.post("/mcp", json=call, headers={"x-api-key": key}) for key in ("wrong", people.fin)]

    assert [problem_of(reply) for reply in replies] == [(401, "unauthenticated"), (403, "forbidden")]
    assert problem_of(await http.get("/mcp")) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"1", b'{"jsonrpc": "2.0"}', b'{"jsonrpc": "2.0", "id": 1, "method": "x"}']
)
async def test_what_is_no_call_is_refused(http: httpx.AsyncClient, people: People, body: bytes) -> None:
    headers = {"x-api-key": people.ada, "content-type": "application/json"}
    accept = {"accept": "application/json, text/event-stream"}

    reply = await http.post("/mcp", content=body, headers=headers | accept)

    assert reply.status_code < 500
    assert "error" in reply.text
