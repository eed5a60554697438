"""What tests do with streams of runs, as any client would."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.cases import client_of

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}]}


async def new_thread(client: LangGraphClient) -> str:
    return (await client.threads.create())["thread_id"]


async def streamed(url: str, key: str, workflow: str, value: dict[str, Any], modes: Any, **how: Any) -> list[Any]:
    """Everything that a run on a thread of its own streams."""
    client = client_of(url, key)
    return await parts(client.runs.stream(await new_thread(client), workflow, input=value, stream_mode=modes, **how))


async def parts(stream: AsyncIterator[Any]) -> list[Any]:
    return [part async for part in stream]


def names(stream: list[Any]) -> list[str]:
    """Event names, with a subgraph's name in place of its whole namespace."""
    return [part.event.split(":")[0] for part in stream]


def of(stream: list[Any], *events: str) -> list[Any]:
    """Data of the events of these names."""
    return [part.data for part in stream if part.event in events]


async def read_until_cut(
    http: httpx.AsyncClient, path: str, last_id: str, cut_after: int
) -> list[tuple[str, str, str]]:
    """Events `(id, name, data)` that arrived whole when the connection was cut after so many bytes, or all of them."""
    received = b""
    async with http.stream("GET", path, headers={"Last-Event-ID": last_id}) as reply:
        assert reply.status_code == 200, await reply.aread()
        async for chunk in reply.aiter_raw():
            received += chunk
            if len(received) > cut_after:
                break
    whole = received[:cut_after].split(b"\r\n\r\n")[:-1]
    return [_event(block) for block in whole if not block.startswith(b":")]


def _event(block: bytes) -> tuple[str, str, str]:
    fields = dict(line.split(": ", 1) for line in block.decode().split("\r\n"))
    return fields["id"], fields["event"], fields["data"]
