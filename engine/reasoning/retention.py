"""How long traces are kept: those of risk as long as their audit trail, a share of routine ones too, others shorter."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class TraceTerms:
    """What becomes of the traces of routine cases; those of a higher risk are never pruned before their audit trail."""

    share: float = 0.1
    """How many of them are kept as those of risk are."""
    others_s: float = 604_800
    """How long the rest are kept after the last that was traced of their thread."""

    @property
    def params(self) -> dict[str, Any]:
        return {"share": self.share, "older": timedelta(seconds=self.others_s)}


def place_of(thread_id: str) -> float:
    """Where a thread stands between 0 and 1: it is in a share that is larger. The same in `old_threads`."""
    return int.from_bytes(hashlib.sha256(thread_id.encode()).digest()[:4]) / 2**32


async def count_old_traces(conn: Connection, terms: TraceTerms) -> int:
    """Of how many threads `forget_traces` would delete the traces."""
    row = await (await conn.execute(_SQL["old_threads"], terms.params)).fetchone()
    return int(row["threads"]) if row else 0


async def forget_traces(conn: Connection, terms: TraceTerms, *, limit: int) -> int:
    """Delete the traces of routine cases whose time is over, of at most `limit` threads; returns of how many."""
    row = await (await conn.execute(_SQL["forget_threads"], terms.params | {"limit": limit})).fetchone()
    return int(row["threads"]) if row else 0
