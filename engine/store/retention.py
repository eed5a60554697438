"""Prunes checkpoints: of a thread that rests, all but the newest are forgotten, with what only they used."""

from dataclasses import dataclass

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_JANITOR = 0x67617465686A  # "gatehj": one key for whoever prunes

Surplus = list[tuple[str, str]]
"""Namespace and id of checkpoints."""


@dataclass(frozen=True)
class Pruned:
    """How many rows are gone."""

    checkpoints: int = 0
    writes: int = 0
    values: int = 0


async def is_only_janitor(conn: Connection) -> bool:
    """Whether nobody else prunes until this transaction ends."""
    row = await (await conn.execute(_SQL["try_lock"], {"key": _JANITOR})).fetchone()
    return bool(row and row["taken"])


async def surplus(conn: Connection, thread_id: str, *, keep: int) -> Surplus:
    """The checkpoints behind the newest `keep` of a thread; none where LangGraph builds one on the other.

    A subgraph with a memory of its own keeps as many as the graph.
    """
    rows = await (await conn.execute(_SQL["surplus"], {"thread_id": thread_id, "keep": keep})).fetchall()
    return [(row["checkpoint_ns"], row["checkpoint_id"]) for row in rows]


async def prune(conn: Connection, thread_id: str, old: Surplus) -> Pruned:
    """Forget what `surplus` found, and values that nothing uses, as a run leaves that was rolled back.

    Expects the thread's lock, and that no run of it is under way.
    """
    of = {"thread_id": thread_id, "places": [place for place, _ in old], "ids": [found for _, found in old]}
    writes = (await conn.execute(_SQL["prune_writes"], of)).rowcount
    checkpoints = (await conn.execute(_SQL["prune_checkpoints"], of)).rowcount
    await conn.execute(_SQL["cut_parents"], of)
    values = (await conn.execute(_SQL["prune_values"], of)).rowcount
    return Pruned(checkpoints, writes, values)
