"""Erasure: what the trail says of a person becomes unreadable, and every chain stays whole."""

from dataclasses import dataclass
from typing import Any

from contracts.errors import InvalidRequest
from contracts.event import Event
from engine.audit.audit import Subject, append, stream_of
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
MOST = 1_000
_OF_A_CASE, _OF_A_REQUESTER = "case", "requester"


@dataclass(frozen=True)
class Erased:
    """What was erased, or would be."""

    cases: int
    keys: int
    """Each made a part of a case readable; 0 in a dry run."""
    under_way: list[str]
    """Threads whose cases have not ended: nothing of them was touched."""
    more: bool
    """Whether there are further cases: ask again."""


async def erase(conn: Connection, subject: str, reason: str, *, by: str, tenant: str, dry_run: bool) -> Erased:
    """Forget the keys of all ended cases of a subject, at most 1,000 of them, and record that on each.

    `subject` is `case:<thread id>`, `requester:<name>` or a business object as in `customer:AC-1`. Raises
    `InvalidRequest`.
    """
    kind, separator, value = subject.partition(":")
    if not (separator and kind and value):
        raise InvalidRequest(
            f"{subject!r} names nobody.", hint="Write case:ID, requester:NAME, or a business object as customer:AC-1."
        )
    statement = {_OF_A_CASE: "of_a_case", _OF_A_REQUESTER: "of_a_requester"}.get(kind, "of_an_object")
    params: dict[str, Any] = {"tenant": tenant, "kind": kind, "value": value, "most": MOST + 1}
    rows = await (await conn.execute(_SQL[statement], params)).fetchall()
    ended = [str(row["thread_id"]) for row in rows[:MOST] if not row["under_way"]]
    left = [str(row["thread_id"]) for row in rows[:MOST] if row["under_way"]]
    keys = 0
    if ended and not dry_run:
        streams = sorted(map(stream_of, ended))
        erased = await (await conn.execute(_SQL["erase"], {"streams": streams})).fetchone()
        keys = int(erased["keys"]) if erased else 0
        for thread_id in sorted(ended):
            data: dict[str, Any] = {"subject": kind, "because": reason}
            await append(conn, Subject(thread_id, "", by), Event.CASE_ERASED, data)
    return Erased(len(ended), keys, left, len(rows) > MOST)
