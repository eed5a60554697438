"""Receivers of webhooks: a server in this process that answers what it is told, and the check that the guide shows."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECRET = bytes(range(32))
GUIDE = Path(__file__).parents[1] / "docs" / "howto" / "webhooks.md"


@dataclass
class Receiver:
    """An HTTP server that answers what it is told and remembers what it was sent."""

    port: int = 0
    answers: list[bytes] = field(default_factory=list)
    """Raw answers in turn; 204 when there are none. Empty bytes hang up, `...` never answers."""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=secret"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.got.append((first, headers, await reader.readexactly(int(headers.get("content-length", 0)))))
        self.asked.set()
        answer = self.answers.pop(0) if self.answers else b"HTTP/1.1 204 No Content\r\n\r\n"
        if answer == b"...":
            await asyncio.sleep(30)
        writer.write(answer)
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def guide_code() -> dict[str, Any]:
    """What the guide's example defines."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    defined: dict[str, Any] = {}
    exec(compile(code, GUIDE.name, "exec"), defined)
    return defined


def answer(status: int, *headers: str, body: str = "") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Some", f"content-length: {len(body)}", *headers, "", body]).encode()
