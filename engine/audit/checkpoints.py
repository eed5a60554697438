"""Checkpoints: signed statements about where chains stand, each over those that moved since the one before."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from engine.audit.offline import leaf_of, merkle_root
from engine.audit.signing import Signer
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_NOTARY = 0x67617465686E  # "gatehn": one key for whoever makes a checkpoint
_MOST = 5_000
_PAGE = 200

Leaf = tuple[str, int, bytes]
"""Stream, sequence number and hash at which a chain stands."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint as it is stored: `body` is what is signed."""

    number: int
    body: bytes
    signature: bytes
    key_id: str
    leaves: tuple[Leaf, ...]

    @property
    def said(self) -> dict[str, Any]:
        """`number`, `at`, `previous`, `root`, `heads`, `streams`, `records`, `key_id` and the layout `v`."""
        return dict(json.loads(self.body))

    @property
    def digest(self) -> str:
        """What the next one names as its `previous`."""
        return hashlib.sha256(self.body).hexdigest()


async def is_due(conn: Connection, *, every_s: float) -> bool:
    """Whether a chain that is to be noted at once has moved, or any has and the last checkpoint is so old."""
    row = await (await conn.execute(_SQL["is_due"], {"every_s": every_s})).fetchone()
    return bool(row and row["due"])


async def take(conn: Connection, signer: Signer) -> Checkpoint | None:
    """Make a checkpoint over the chains that moved, at most 5,000 of them; None where none did, or another makes one.

    Nobody who appends is waited for: a chain that is being written is left to the next checkpoint.
    """
    row = await (await conn.execute(_SQL["be_notary"], {"key": _NOTARY})).fetchone()
    if not row or not row["taken"]:
        return None
    moved = await (await conn.execute(_SQL["take_moved"], {"most": _MOST})).fetchall()
    if not moved:
        return None
    last = await _last(conn)
    leaves = in_order([(row["stream"], row["seq"], bytes(row["hash"])) for row in moved])
    said = last.said if last else {"streams": 0, "records": 0}
    body = {
        "v": 1,
        "number": last.number + 1 if last else 1,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "previous": last.digest if last else "",
        "root": root_of(leaves).hex(),
        "heads": len(leaves),
        "streams": said["streams"] + sum(row["noted_before"] == 0 for row in moved),
        "records": said["records"] + sum(row["seq"] - row["noted_before"] for row in moved),
        "key_id": signer.key_id,
    }
    return await _note(conn, body, signer, leaves)


def in_order(leaves: list[Leaf]) -> tuple[Leaf, ...]:
    """Leaves in the order in which they stand in a tree: that of their bytes."""
    return tuple(sorted(leaves, key=lambda leaf: leaf_of(*leaf)))


def root_of(leaves: tuple[Leaf, ...]) -> bytes:
    """The root of a checkpoint's tree."""
    return merkle_root([leaf_of(*leaf) for leaf in leaves])


async def checkpoints(conn: Connection, *, after: int = 0) -> AsyncIterator[Checkpoint]:
    """Every checkpoint behind number `after`, in order, with its leaves."""
    while True:
        rows = await (await conn.execute(_SQL["checkpoints"], {"after": after, "most": _PAGE})).fetchall()
        found = await _leaves(conn, after, rows[-1]["number"]) if rows else {}
        for row in rows:
            yield _checkpoint(row, in_order(found.get(row["number"], [])))
        if len(rows) < _PAGE:
            return
        after = rows[-1]["number"]


async def newest_with(conn: Connection, stream: str) -> Checkpoint | None:
    """The newest checkpoint that names a chain."""
    row = await (await conn.execute(_SQL["newest_with"], {"stream": stream})).fetchone()
    if row is None:
        return None
    found = await _leaves(conn, row["number"] - 1, row["number"])
    return _checkpoint(row, in_order(found[row["number"]]))


async def _last(conn: Connection) -> Checkpoint | None:
    row = await (await conn.execute(_SQL["last_checkpoint"])).fetchone()
    return _checkpoint(row, ()) if row else None


async def _leaves(conn: Connection, after: int, until: int) -> dict[int, list[Leaf]]:
    found: dict[int, list[Leaf]] = {}
    for row in await (await conn.execute(_SQL["leaves"], {"after": after, "until": until})).fetchall():
        found.setdefault(row["checkpoint"], []).append((row["stream"], row["seq"], bytes(row["hash"])))
    return found


async def _note(conn: Connection, said: dict[str, Any], signer: Signer, leaves: tuple[Leaf, ...]) -> Checkpoint:
    body = rfc8785.dumps(said)
    made = Checkpoint(said["number"], body, signer.sign("checkpoint", body), signer.key_id, leaves)
    params = {
        "number": made.number,
        "body": made.body,
        "signature": made.signature,
        "key_id": made.key_id,
        "streams": [leaf[0] for leaf in leaves],
        "seqs": [leaf[1] for leaf in leaves],
        "hashes": [leaf[2] for leaf in leaves],
    }
    await conn.execute(_SQL["note_checkpoint"], params)
    return made


def _checkpoint(row: dict[str, Any], leaves: tuple[Leaf, ...]) -> Checkpoint:
    return Checkpoint(row["number"], bytes(row["body"]), bytes(row["signature"]), row["key_id"], leaves)
