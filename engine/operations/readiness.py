"""Whether this process can do its work now: database, schema, worker, drain."""

import asyncio
from dataclasses import dataclass

from contracts.errors import NotReady, StoreUnavailable
from engine.store.database import Database
from engine.store.migrate import missing_migrations
from engine.store.scope import across_tenants
from engine.worker.worker import Worker

_TIME_S = 3.0
_WELL = "ok"


@dataclass
class Vitals:
    """What is alive in this process; wiring sets the worker while one runs."""

    worker: Worker | None = None


async def require_ready(database: Database, vitals: Vitals) -> dict[str, str]:
    """What was checked, each `ok`. Raises `NotReady` with the same checks when something is wrong."""
    checks = await _of_database(database) | _of_worker(vitals.worker)
    wrong = [f"{name}: {said}" for name, said in checks.items() if said != _WELL]
    if wrong:
        raise NotReady(f"This process cannot do its work: {'; '.join(wrong)}.", facts={"checks": checks})
    return checks


async def _of_database(database: Database) -> dict[str, str]:
    try:
        with across_tenants("whether the schema is ours"):
            async with asyncio.timeout(_TIME_S), database.transaction() as conn:
                missing = await missing_migrations(conn)
    except (TimeoutError, StoreUnavailable):
        return {"database": f"does not answer within {_TIME_S:g} s"}
    # A database that is ahead of this code is no reason to stop: in a rolling update the old processes serve on.
    return {"database": _WELL, "schema": f"lacks {', '.join(missing)}" if missing else _WELL}


def _of_worker(worker: Worker | None) -> dict[str, str]:
    return {"worker": worker.ailment() or _WELL} if worker else {}
