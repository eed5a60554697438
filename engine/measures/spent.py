"""What live models took of a case, added up by stage and route in the transaction that records each call."""

from dataclasses import dataclass

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Spent:
    """One attempt at a live model."""

    tenant: str
    case_id: str
    stage: str
    route: str
    failed: bool
    tokens_read: int
    tokens_written: int
    ms: int
    currency: str = ""
    """Empty where the route names no price."""
    cost: int = 0
    """In millionths of a unit."""


async def note_spent(conn: Connection, spent: Spent) -> None:
    """Add an attempt to what its case has taken; expects the transaction that records it."""
    await conn.execute(_SQL["note_spent"], vars(spent) | {"failed": int(spent.failed)})
