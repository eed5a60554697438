"""Who has said what about a request, and whether those who approve are the people whom its quorum wants."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.approval import DecisionType
from contracts.policy import Quorum
from engine.access.keys import Principal
from engine.approvals.model import ApprovalRequest
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Vote:
    """What one person said."""

    by: str
    type: DecisionType
    roles: tuple[str, ...]
    """Of the seats, those in which the person may sit."""
    at: datetime | None = None


async def votes_on(conn: Connection, request_id: str) -> list[Vote]:
    """In the order in which they were cast."""
    rows = await (await conn.execute(_SQL["votes"], {"request_id": request_id})).fetchall()
    return [Vote(row["by"], row["type"], tuple(row["roles"]), row["at"]) for row in rows]


async def cast_vote(conn: Connection, request: ApprovalRequest, vote: Vote, reason: str, reason_code: str) -> bool:
    """Keep what a person says; False when they have spoken before. Expects the request's lock."""
    params = {
        "request_id": request.id,
        "by": vote.by,
        "type": vote.type,
        "roles": list(vote.roles),
        "action_digest": request.action_digest,
        "reason": reason,
        "reason_code": reason_code,
    }
    return await (await conn.execute(_SQL["vote"], params)).fetchone() is not None


def seats_of(request: ApprovalRequest, reviewer: Principal) -> tuple[str, ...]:
    """The seats in which a person may sit; whoever holds a role that it was escalated to may sit in any."""
    roles = request.quorum.roles
    if reviewer.approver_roles & set(request.escalated_to):
        return roles
    return tuple(role for role in roles if role in reviewer.approver_roles)


def fits(quorum: Quorum, held: Sequence[tuple[str, ...]]) -> bool:
    """Whether people who may sit in these seats can all sit at a time, each in another one."""
    return next(_seatings(Counter(quorum.roles), held), None) is not None


def is_reached(quorum: Quorum, held: Sequence[tuple[str, ...]]) -> bool:
    """Whether they are as many as are needed, and can sit so that no seat is empty that must not be."""
    wanted = Counter(quorum.always)
    seatings = _seatings(Counter(quorum.roles), held)
    return len(held) >= quorum.needed and any(not wanted - Counter(taken) for taken in seatings)


def _seatings(free: Counter[str], held: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Every way to give each of them a seat."""
    if not held:
        yield ()
        return
    for role in sorted(set(held[0])):
        if free[role]:
            for others in _seatings(free - Counter([role]), held[1:]):
                yield (role, *others)
