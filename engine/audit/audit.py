"""Writes audit records into a case's hash chain and reads them back."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import rfc8785
from pydantic import JsonValue

from contracts.event import AuditRecord, Event
from engine.audit.objects import NO_OBJECTS, Objects
from engine.audit.payloads import opened, sealed
from engine.credentials.redactor import KNOWN
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


def stream_of(thread_id: object) -> str:
    """A case's chain: one per thread, so that all legs of an interrupted case stand in one order."""
    return f"case:{thread_id}"


_AT_ONCE = frozenset(
    {Event.APPROVAL_DECIDED, Event.RUN_FINISHED, Event.RUN_PARKED, Event.RUN_FAILED, Event.RUN_CANCELLED}
)
"""What the next look of a notary puts into a signed checkpoint, however young the last one is."""


@dataclass(frozen=True)
class Subject:
    """Which case and run a record is about, and who acted."""

    thread_id: str
    run_id: str
    actor: str


async def append(
    conn: Connection,
    subject: Subject,
    event: Event,
    data: dict[str, JsonValue],
    *,
    high_risk: bool = False,
    objects: Objects = NO_OBJECTS,
) -> None:
    """Add one record; expects the transaction of the action that it records. Bytes are RFC 8785 form, kept as is.

    What may tell of people is sealed beside the record, which holds its digest: see `engine.audit.payloads`.
    `objects` are what the record is found by. What is `high_risk`, a decision or a run's end is noted in a signed
    checkpoint at the next look of a notary.
    """
    haste = 2 if high_risk or event in _AT_ONCE else 1
    stream = stream_of(subject.thread_id)
    kept = sealed(stream, data)
    params = {"stream": stream, "canon": _canon(subject, event, kept.data), "haste": haste}
    params |= {"tenant": objects.tenant, "objects": objects.flat, "payload": kept.payload, "salt": kept.salt}
    await conn.execute(_SQL["append"], params)


async def append_to(conn: Connection, stream: str, actor: str, event: Event, data: dict[str, JsonValue]) -> None:
    """Add one record to the chain of something that is no case, as in `assistant:<id>`; otherwise like `append`."""
    params = {"stream": stream, "canon": _canon(Subject("", "", actor), event, data), "haste": 1}
    params |= {"tenant": "", "objects": None, "payload": None, "salt": None}
    await conn.execute(_SQL["append"], params)


def digest_of(value: object) -> str:
    """SHA-256 of a JSON value, for records that must say what was kept without keeping it for ever."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Trail:
    """Records of one case that are written together, in the transaction in which what they record is written."""

    def __init__(self, stream: str, hold: Callable[[Callable[[Connection], Awaitable[None]]], None]) -> None:
        """`hold` has something carried out in the next transaction."""
        self._stream = stream
        self._hold = hold
        self._batch: list[bytes] = []

    def add(self, subject: Subject, event: Event, data: dict[str, JsonValue]) -> None:
        """Have one more record written."""
        self._batch.append(_canon(subject, event, data))
        if len(self._batch) == 1:
            self._hold(self._writing(self._batch))

    def _writing(self, batch: list[bytes]) -> Callable[[Connection], Awaitable[None]]:
        async def write(conn: Connection) -> None:
            # What comes from now on belongs to the next transaction; this one may be tried again with the same batch.
            if self._batch is batch:
                self._batch = []
            await conn.execute(_SQL["append_all"], {"stream": self._stream, "canons": batch, "haste": 1})

        return write


def _canon(subject: Subject, event: Event, data: dict[str, JsonValue]) -> bytes:
    record: AuditRecord = {
        "event": event.value,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "run_id": subject.run_id,
        "actor": subject.actor,
        "data": data,
    }
    canon = rfc8785.dumps(cast("dict[str, object]", record))  # type: ignore[arg-type]  # its own JSON alias
    return KNOWN.text(canon.decode()).encode()


@dataclass(frozen=True)
class Link:
    """One record as the chain holds it."""

    seq: int
    prev: bytes
    hash: bytes
    canon: bytes
    payload: bytes | None = None
    salt: bytes | None = None
    stream: str = ""

    @property
    def record(self) -> AuditRecord:
        """The record with what lies sealed beside it; what was erased, or cannot be read, says so."""
        record = cast(AuditRecord, json.loads(self.canon))
        return {**record, "data": opened(self.stream, record["data"], self.payload, self.salt)}


async def chain(conn: Connection, stream: str, *, after: int = 0) -> list[Link]:
    """The links of one chain in order of `seq`, those behind the one numbered `after`."""
    rows = await (await conn.execute(_SQL["chain"], {"stream": stream, "after": after})).fetchall()
    return [
        Link(
            row["seq"],
            bytes(row["prev"]),
            bytes(row["hash"]),
            bytes(row["canon"]),
            bytes(row["payload"]) if row["payload"] is not None else None,
            bytes(row["salt"]) if row["salt"] is not None else None,
            stream,
        )
        for row in rows
    ]


async def head(conn: Connection, stream: str) -> tuple[int, bytes] | None:
    """Sequence number and hash at which a chain says it ends."""
    row = await (await conn.execute(_SQL["head"], {"stream": stream})).fetchone()
    return (row["seq"], bytes(row["hash"])) if row else None


async def salts_of(conn: Connection, stream: str) -> dict[bytes, bytes]:
    """What is sealed of one chain can be read with these, by the id that each payload begins with."""
    rows = await (await conn.execute(_SQL["salts_of"], {"stream": stream})).fetchall()
    return {bytes(row["id"]): bytes(row["salt"]) for row in rows}


async def salts(conn: Connection) -> dict[bytes, tuple[str, bytes]]:
    """The chain and the salt with which payloads can be read, by the id that each begins with: `vault.salt_id`."""
    rows = await (await conn.execute(_SQL["salts"])).fetchall()
    return {bytes(row["id"]): (row["stream"], bytes(row["salt"])) for row in rows}
