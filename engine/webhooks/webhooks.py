"""Webhooks in the database: kept with the end of their run, taken for an attempt, delivered or given up, shown."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from psycopg.types.json import Jsonb

from contracts.approval import JsonObject
from contracts.errors import AlreadySettled, NotFound
from contracts.event import Event
from engine.audit import audit
from engine.audit.audit import Subject
from engine.store.database import Connection
from engine.store.sql import load_queries
from engine.webhooks.targets import parse

_SQL = load_queries(__file__)
_BY_SYSTEM = "system"

Status = Literal["pending", "delivered", "dead"]


@dataclass(frozen=True)
class EndedRun:
    """What is told of a run that has ended or parked: never its input, state or result."""

    run_id: str
    thread_id: str
    assistant_id: str | None
    workflow: str
    status: str
    outcome: str | None
    """None while the case waits for somebody."""
    created_at: datetime

    def payload(self) -> JsonObject:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        data: JsonObject = {
            "run_id": self.run_id,
            "thread_id": self.thread_id,
            "assistant_id": self.assistant_id,
            "workflow": self.workflow,
            "status": self.status,
            "outcome": self.outcome,
            "created_at": self.created_at.isoformat(timespec="milliseconds"),
            "ended_at": now,
            "url": f"/threads/{self.thread_id}/runs/{self.run_id}",
        }
        return {"type": "run.ended", "timestamp": now, "data": data}


@dataclass(frozen=True)
class Webhook:
    """One webhook."""

    id: str
    run_id: str | None
    """None for an alarm, which is about no run."""
    thread_id: str | None
    tenant: str
    url: str | None
    route: str | None
    """By name, instead of a url: where it leads is looked up when it is sent."""
    payload: JsonObject
    status: Status
    attempts: int
    due_at: datetime | None
    last_error: str
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        ids = {name: str(row[name]) for name in ("id", "run_id", "thread_id") if row[name] is not None}
        return cls(**values | ids)

    @property
    def target(self) -> str:
        """Where it goes, without what may be secret in the URL."""
        if not self.url:
            return f"route {self.route}"
        url = parse(self.url)
        return f"{url.scheme}://{url.netloc.decode()}{url.path}"

    async def record(self, conn: Connection, event: Event, data: JsonObject, *, actor: str = _BY_SYSTEM) -> None:
        """Add to the chain of the case, or to that of alarms."""
        said: JsonObject = {"webhook_id": self.id, "target": self.target, **data}
        if self.thread_id and self.run_id:
            await audit.append(conn, Subject(self.thread_id, self.run_id, actor), event, said)
        else:
            await audit.append_to(conn, f"switches:{self.tenant}", actor, event, {"tenant": self.tenant, **said})


async def enqueue_webhook(conn: Connection, run: EndedRun, url: str, *, tenant: str) -> None:
    """Keep what is to be told; expects the transaction that ends the run."""
    row = {"id": str(uuid.uuid4()), "run_id": run.run_id, "thread_id": run.thread_id, "tenant": tenant, "url": url}
    await conn.execute(_SQL["enqueue"], row | {"route": None, "payload": Jsonb(run.payload())})


async def enqueue_for_route(
    conn: Connection, route: str, payload: JsonObject, subject: Subject | None, *, tenant: str
) -> None:
    """Keep what is to be told by a route, about the subject's run or none; expects the transaction of what it tells."""
    run_id, thread_id = (subject.run_id, subject.thread_id) if subject else (None, None)
    about = {"run_id": run_id, "thread_id": thread_id, "tenant": tenant}
    row = {"id": str(uuid.uuid4()), "url": None, "route": route, "payload": Jsonb(payload)}
    await conn.execute(_SQL["enqueue"], about | row)


async def take_due(conn: Connection, *, limit: int, silence: timedelta) -> list[Webhook]:
    """Begin an attempt for webhooks whose time has come; those of a worker that dies are due again after `silence`."""
    rows = await (await conn.execute(_SQL["due"], {"limit": limit})).fetchall()
    params = {"ids": [row["id"] for row in rows], "silence": silence}
    return [Webhook.of(row) for row in await (await conn.execute(_SQL["take"], params)).fetchall()]


async def end(conn: Connection, webhook: Webhook, status: Literal["delivered", "dead"], error: str = "") -> None:
    """Record how an attempt ended the webhook; a later attempt's word counts more."""
    params = {"id": webhook.id, "attempts": webhook.attempts, "status": status, "error": error}
    if await (await conn.execute(_SQL["end"], params)).fetchone():
        said: JsonObject = {"status": status, "attempts": webhook.attempts, "error": error}
        await webhook.record(conn, Event.WEBHOOK_ENDED, said)


async def postpone(conn: Connection, webhook: Webhook, pause: timedelta, error: str) -> None:
    """Try again after `pause`."""
    params = {"id": webhook.id, "attempts": webhook.attempts, "pause": pause, "error": error}
    await conn.execute(_SQL["postpone"], params)


async def search_webhooks(
    conn: Connection, *, tenant: str, status: Status | None, limit: int = 50, offset: int = 0
) -> list[Webhook]:
    """A tenant's webhooks, newest first."""
    params = {"tenant": tenant, "status": status, "limit": limit, "offset": offset}
    return [Webhook.of(row) for row in await (await conn.execute(_SQL["search"], params)).fetchall()]


async def retry_webhook(conn: Connection, webhook_id: str, *, tenant: str, by: str) -> Webhook:
    """Send a dead webhook once more. Raises `NotFound`, `AlreadySettled` for one that is not dead."""
    params = {"id": webhook_id, "tenant": tenant}
    row = await (await conn.execute(_SQL["retry"], params)).fetchone()
    if row is None:
        found = await (await conn.execute(_SQL["webhook"], params)).fetchone()
        if found is None:
            raise NotFound(f"There is no webhook {webhook_id}.", hint="List them with: gatehouse webhooks list")
        raise AlreadySettled(f"Webhook {webhook_id} is {found['status']}; only a dead one is sent again.")
    webhook = Webhook.of(row)
    await webhook.record(conn, Event.WEBHOOK_RETRIED, {}, actor=by)
    return webhook


async def forget_webhooks(conn: Connection, *, older_s: float, limit: int) -> int:
    """Delete webhooks delivered so long ago, and dead ones ten times as old; at most `limit`, returns how many."""
    params = {"older": timedelta(seconds=older_s), "limit": limit}
    return (await conn.execute(_SQL["forget"], params)).rowcount


async def count_old_webhooks(conn: Connection, *, older_s: float) -> int:
    """How many webhooks `forget_webhooks` would delete."""
    row = await (await conn.execute(_SQL["count_old"], {"older": timedelta(seconds=older_s)})).fetchone()
    return int(row["webhooks"]) if row else 0
