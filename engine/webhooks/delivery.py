"""Delivers what is kept: one attempt for what is due, again with growing pauses, until it is taken or given up."""

import asyncio
import json
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import psycopg

from contracts.approval import JsonObject
from contracts.errors import StoreUnavailable, WebhookRefused
from engine.store.database import Database
from engine.store.scope import across_tenants, of_tenant
from engine.webhooks import webhooks
from engine.webhooks.sending import ANSWER_S, Sender
from engine.webhooks.webhooks import Webhook

_LOG = logging.getLogger("gatehouse.webhooks")
_AT_ONCE = 20
_LONGEST_PAUSE_S = 12 * 3600
_GONE = 410


class Addressed(Protocol):
    """Where a route leads, and what it is sent."""

    @property
    def url(self) -> str: ...

    def body(self, payload: JsonObject, public_url: str) -> JsonObject: ...


@dataclass(frozen=True)
class Courier:
    """Any number of workers deliver webhooks."""

    database: Database
    sender: Sender
    routes: Mapping[str, Addressed] = field(default_factory=dict)
    """By name, those that this process knows."""
    public_url: str = ""
    """Begins the links."""
    attempts: int = 8
    retry_s: float = 5.0
    """Pause after the first attempt; each is four times the one before."""

    async def deliver_due(self) -> int:
        """Make one attempt for webhooks whose time has come; returns for how many."""
        silence = timedelta(seconds=ANSWER_S * 2)
        with across_tenants("webhooks whose time has come"):
            async with self.database.transaction() as conn:
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
        with of_tenant(webhook.tenant):
            await self._keep(webhook, error)

    async def _keep(self, webhook: Webhook, error: str) -> None:
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
            if webhook.url:
                return await self._post(webhook, webhook.url, self._linked(webhook.payload))
            address = self.routes.get(webhook.route or "")
            if address is None:
                return f"no route {webhook.route!r} is configured at this worker"
            return await self._post(webhook, address.url, address.body(webhook.payload, self.public_url))
        except WebhookRefused as error:
            # Of a route's address nothing is stored, not even its host.
            return error.detail if webhook.url else error.title

    async def _post(self, webhook: Webhook, url: str, body: JsonObject) -> str:
        return await self.sender.send(url, f"msg_{webhook.id}", encoded(body))

    def _linked(self, payload: JsonObject) -> JsonObject:
        data = payload["data"]
        if isinstance(data, dict):
            data = {**data, "url": f"{self.public_url.rstrip('/')}{data['url']}"}
        return {**payload, "data": data}

    def _pause(self, attempt: int) -> timedelta:
        # Spread, so that what failed together does not come back together.
        seconds = min(_LONGEST_PAUSE_S, self.retry_s * 4 ** (attempt - 1)) * random.uniform(0.9, 1.1)  # noqa: S311
        return timedelta(seconds=seconds)


def encoded(body: JsonObject) -> bytes:
    """As it is sent and signed."""
    return json.dumps(body, separators=(",", ":")).encode()
