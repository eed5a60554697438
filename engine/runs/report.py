"""Runs as an operator sees them: with who holds them and until when, found over all threads. Reads only."""

from psycopg.rows import DictRow

from contracts.errors import NotFound
from engine.runs.model import RunStatus
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def find_runs(
    conn: Connection,
    *,
    tenant: str,
    status: RunStatus | None = None,
    workflow: str | None = None,
    requester: str | None = None,
    limit: int = 20,
) -> list[DictRow]:
    """A tenant's runs, newest first."""
    params = {"tenant": tenant, "status": status, "workflow": workflow, "requester": requester, "limit": limit}
    return await (await conn.execute(_SQL["find"], params)).fetchall()


async def run_facts(conn: Connection, run_id: str, *, tenant: str) -> DictRow:
    """One run. Raises `NotFound`, also for another tenant's."""
    row = await (await conn.execute(_SQL["facts"], {"id": run_id, "tenant": tenant})).fetchone()
    if row is None:
        raise NotFound(f"There is no run {run_id}.", hint="List them with: gatehouse runs list")
    return row


async def legs_of_case(conn: Connection, case_id: str) -> list[DictRow]:
    """Every run of a case, oldest first."""
    return await (await conn.execute(_SQL["legs"], {"case_id": case_id})).fetchall()


async def suspects(conn: Connection, *, tenant: str, pending_s: float, attempts: int) -> list[DictRow]:
    """Unfinished runs that do not move, with a `kind` that says why.

    `orphaned`: running, and the lease is over; `held`: pending, and no worker that looked has its version; `pending`:
    could have been claimed for `pending_s` seconds; `attempts`: tried at least `attempts` times. A run is listed once,
    under the first that fits.
    """
    params = {"tenant": tenant, "pending_s": pending_s, "attempts": attempts}
    return await (await conn.execute(_SQL["suspects"], params)).fetchall()
