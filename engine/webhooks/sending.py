"""Sends one message: to the address that was checked and no other, signed, without following anybody elsewhere."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

import anyio
import httpcore

from engine.webhooks.signing import signature_headers
from engine.webhooks.targets import Targets, parse

CONNECT_S, ANSWER_S = 5.0, 15.0
SocketOptions = Iterable[httpcore.SOCKET_OPTION]


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Looks a host up, checks what it finds and connects to exactly that: a name cannot mean another address later."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._targets.addresses(host, port):
            try:
                stream = await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            self._targets.require_address(str(stream.get_extra_info("server_addr")[0]), host)
            return stream
        raise failure

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@dataclass(frozen=True)
class Sender:
    """Posts signed messages."""

    targets: Targets
    secret: bytes

    async def send(self, url: str, message_id: str, body: bytes) -> str:
        """What is wrong, "" if it was taken. Raises `WebhookRefused` where nothing may be sent."""
        try:
            async with asyncio.timeout(ANSWER_S):
                status = await self._post(url, message_id, body)
        except TimeoutError:
            return f"no answer within {ANSWER_S:g} s"
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            return type(error).__name__
        return "" if 200 <= status < 300 else str(status)

    async def _post(self, url: str, message_id: str, body: bytes) -> int:
        target = parse(url)
        headers = {
            "host": target.netloc.decode(),
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": f"gatehouse/{version('gatehouse')}",
            **signature_headers(self.secret, message_id, int(time.time()), body),
        }
        limits = {"timeout": {"connect": CONNECT_S, "read": ANSWER_S, "write": ANSWER_S, "pool": CONNECT_S}}
        async with httpcore.AsyncConnectionPool(network_backend=_CheckedNetwork(self.targets)) as pool:
            request = pool.stream("POST", str(target), headers=[*headers.items()], content=body, extensions=limits)
            async with request as answer:  # its body is nobody's concern and stays unread
                return answer.status
