"""Seals: signed statements up to where an ended chain is closed, and the pruning of what lies behind them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import rfc8785

from contracts.errors import AuditNotSealed
from contracts.event import Event
from engine.audit.audit import append_to
from engine.audit.offline import problem_of_seal
from engine.audit.signing import Ring, Signer
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_BY = "system"
_REFUSED = "GH003"


@dataclass(frozen=True)
class Seal:
    """One seal as it is stored: `body` is what is signed."""

    stream: str
    seq: int
    hash: bytes
    body: bytes
    signature: bytes
    key_id: str

    @property
    def said(self) -> dict[str, Any]:
        """`stream`, `seq`, `hash`, `first`, `records`, `at`, `noted_at`, `keep_days`, `key_id` and the layout `v`."""
        return dict(json.loads(self.body))

    @property
    def records(self) -> int:
        """How many records it closes."""
        return int(self.said["records"])

    @property
    def digest(self) -> str:
        """What the chain's record of the seal holds."""
        return hashlib.sha256(self.body).hexdigest()

    def problem(self, ring: Ring | None) -> str:
        """What is wrong with it by itself; without `ring`, its signature is not checked."""
        return problem_of_seal(self.body, self.signature, self.key_id, (self.stream, self.seq, self.hash), ring)


@dataclass(frozen=True)
class Closable:
    """A chain that may be closed up to one record, at which a checkpoint noted it that is old enough."""

    stream: str
    tenant: str
    seq: int
    hash: bytes
    first: int
    """The first record that it still has."""
    noted_at: datetime
    keep_days: float

    @property
    def records(self) -> int:
        """How many it would lose."""
        return self.seq - self.first + 1


async def closable(
    conn: Connection, keep_days: Mapping[str, float], other_days: float, *, after: str, limit: int
) -> list[Closable]:
    """Chains behind `after` of which nothing is young: whole cases that have ended, and the old part of other chains.

    `keep_days` are those of workflows; `other_days` count for cases of others, and for what is no case.
    """
    params = {"keep": json.dumps(dict(keep_days)), "other": other_days, "after": after, "limit": limit}
    params["least"] = min([*keep_days.values(), other_days])
    rows = await (await conn.execute(_SQL["closable"], params)).fetchall()
    return [Closable(**{**row, "hash": bytes(row["hash"]), "tenant": row["tenant"] or ""}) for row in rows]


async def close(conn: Connection, signer: Signer, chain: Closable) -> bool:
    """Seal a chain and record that in it; False if somebody works on its case, or has since it was found."""
    row = await (await conn.execute(_SQL["hold_to_close"], {"stream": chain.stream, "seq": chain.seq})).fetchone()
    if row is None:
        return False
    body = rfc8785.dumps(
        {
            "v": 1,
            "stream": chain.stream,
            "seq": chain.seq,
            "hash": chain.hash.hex(),
            "first": chain.first,
            "records": chain.records,
            "noted_at": chain.noted_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "keep_days": chain.keep_days,
            "key_id": signer.key_id,
        }
    )
    data: dict[str, Any] = {"seal": hashlib.sha256(body).hexdigest(), "until": chain.seq, "records": chain.records}
    await append_to(conn, chain.stream, _BY, Event.AUDIT_SEALED, data)
    params = {"stream": chain.stream, "seq": chain.seq, "body": body, "signature": signer.sign("seal", body)}
    await conn.execute(_SQL["note_seal"], params | {"key_id": signer.key_id, "keep_days": chain.keep_days})
    return True


async def prunable(conn: Connection, *, after: str, limit: int) -> list[Seal]:
    """The newest seals of chains behind `after` that still have what lies behind it, where a checkpoint covers it."""
    rows = await (await conn.execute(_SQL["prunable"], {"after": after, "limit": limit})).fetchall()
    return [_seal(row) for row in rows]


async def prune(conn: Connection, seal: Seal, ring: Ring) -> int:
    """Delete what lies behind a seal; returns how many records.

    Raises `AuditNotSealed` for a seal that no trusted key has signed, and where the database finds that it is not
    recorded, not covered by a checkpoint, or not old enough, or that the case is not at its end.
    """
    if problem := seal.problem(ring):
        raise AuditNotSealed(
            f"Nothing behind record {seal.seq} of {seal.stream!r} is pruned: {problem}.",
            hint="Find out what was changed with: gatehouse audit verify",
        )
    try:
        row = await (await conn.execute(_SQL["prune"], {"stream": seal.stream})).fetchone()
    except psycopg.DatabaseError as error:
        if error.sqlstate != _REFUSED:
            raise
        raise AuditNotSealed(f"The database refuses: {str(error).splitlines()[0]}.") from error
    return int(row["records"]) if row else 0


async def time_there(conn: Connection) -> datetime:
    """What time it is in the database."""
    [row] = await (await conn.execute(_SQL["now"])).fetchall()
    return cast(datetime, row["at"])


async def seals(conn: Connection, only: str = "") -> dict[str, list[Seal]]:
    """The seals of every chain, or of one, in their order."""
    found: dict[str, list[Seal]] = {}
    for row in await (await conn.execute(_SQL["seals"], {"only": only})).fetchall():
        found.setdefault(row["stream"], []).append(_seal(row))
    return found


def _seal(row: dict[str, Any]) -> Seal:
    hashed, body, signature = bytes(row["hash"]), bytes(row["body"]), bytes(row["signature"])
    return Seal(row["stream"], row["seq"], hashed, body, signature, row["key_id"])
