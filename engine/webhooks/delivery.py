"""Sends webhooks: to the address that was checked and no other, signed, without following anybody elsewhere."""

import asyncio
import json
import logging
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

import anyio
import httpcore
import psycopg

from contracts.errors import StoreUnavailable, WebhookRefused
from engine.store.database import Database
from engine.webhooks import webhooks
from engine.webhooks.signing import signature_headers
from engine.webhooks.targets import Targets, parse
from engine.webhooks.webhooks import Webhook

_LOG = logging.getLogger("gatehouse.webhooks")
_AT_ONCE = 20
_CONNECT_S, _ANSWER_S = 5.0, 15.0
_LONGEST_PAUSE_S = 12 * 3600
_GONE = 410
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
class Courier:
    """Any number of workers deliver webhooks."""

    database: Database
    targets: Targets
    secret: bytes
    public_url: str = ""
    """Begins the link to the run."""
    attempts: int = 8
    retry_s: float = 5.0
    """Pause after the first attempt; each is four times the one before."""

    async def deliver_due(self) -> int:
        """Make one attempt for webhooks whose time has come; returns for how many."""
        async with self.database.transaction() as conn:
            silence = timedelta(seconds=_ANSWER_S * 2)
            taken = await webhooks.take_due(conn, limit=_AT_ONCE, silence=silence)
        ends = await asyncio.gather(*(self._deliver(webhook) for webhook in taken), return_exceptions=True)
        for webhook, failure in zip(taken, ends, strict=True):
            if isinstance(failure, (StoreUnavailable, psycopg.OperationalError)):
                raise failure
            if isinstance(failure, Exception):
                _LOG.error("webhook %s of run %s failed", webhook.id, webhook.run_id, exc_info=failure)
        return len(taken)

    async def _deliver(self, webhook: Webhook) -> None:
        [sent] = await asyncio.gather(self._send(webhook), return_exceptions=True)
        if isinstance(sent, Exception):  # a fault of ours is an attempt like any other, or it were made for ever
            _LOG.error("webhook %s of run %s could not be sent", webhook.id, webhook.run_id, exc_info=sent)
        error = sent if isinstance(sent, str) else type(sent).__name__
        async with self.database.transaction() as conn:
            if not error:
                await webhooks.end(conn, webhook, "delivered")
            elif webhook.attempts >= self.attempts or error == str(_GONE):
                await webhooks.end(conn, webhook, "dead", error)
            else:
                await webhooks.postpone(conn, webhook, self._pause(webhook.attempts), error)

    async def _send(self, webhook: Webhook) -> str:
        """What is wrong, "" if it was taken."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                status = await self._post(webhook)
        except WebhookRefused as error:
            return error.detail
        except TimeoutError:
            return f"no answer within {_ANSWER_S:g} s"
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            return type(error).__name__
        return "" if 200 <= status < 300 else str(status)

    async def _post(self, webhook: Webhook) -> int:
        url, body = parse(webhook.url), self._body(webhook)
        headers = {
            "host": url.netloc.decode(),
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": f"gatehouse/{version('gatehouse')}",
            **signature_headers(self.secret, f"msg_{webhook.id}", int(time.time()), body),
        }
        limits = {"timeout": {"connect": _CONNECT_S, "read": _ANSWER_S, "write": _ANSWER_S, "pool": _CONNECT_S}}
        async with httpcore.AsyncConnectionPool(network_backend=_CheckedNetwork(self.targets)) as pool:
            request = pool.stream("POST", str(url), headers=[*headers.items()], content=body, extensions=limits)
            async with request as answer:  # its body is nobody's concern and stays unread
                return answer.status

    def _body(self, webhook: Webhook) -> bytes:
        data = webhook.payload["data"]
        if isinstance(data, dict):
            data = {**data, "url": f"{self.public_url.rstrip('/')}{data['url']}"}
        return json.dumps({**webhook.payload, "data": data}, separators=(",", ":")).encode()

    def _pause(self, attempt: int) -> timedelta:
        # Spread, so that what failed together does not come back together.
        seconds = min(_LONGEST_PAUSE_S, self.retry_s * 4 ** (attempt - 1)) * random.uniform(0.9, 1.1)  # noqa: S311
        return timedelta(seconds=seconds)
