"""Rows for runs that another LangGraph server carries: what gates, ledger and audit trail refer to."""

from typing import Any

from psycopg.types.json import Jsonb

from contracts.errors import BypassRefused, NotFound
from contracts.event import Event
from engine.audit import audit
from engine.runs.model import NewRun, Run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_NOBODY = "00000000-0000-0000-0000-000000000000"


async def visit(conn: Connection, new: NewRun, run_id: str, *, carried_by: str, owner: str) -> Run:
    """The row of a run on `carried_by`, held by the process `owner` under a new epoch.

    Raises `BypassRefused` for a thread or a run of ours: its gates are opened on our own servers only.
    """
    thread = {"id": new.thread_id, "tenant": new.tenant, "workflow": new.workflow, "carried_by": carried_by}
    await conn.execute(_SQL["visit_thread"], thread)
    refusal = BypassRefused(f"Thread {new.thread_id} is not one of {carried_by!r}.", hint="Take another thread id.")
    try:
        row = await get_thread(conn, new.thread_id, tenant=new.tenant, lock=True)
    except NotFound as error:
        raise refusal from error
    if row["carried_by"] != carried_by or row["workflow"] != new.workflow:
        raise refusal
    await conn.execute(_SQL["leave_visits"], {"thread_id": new.thread_id, "but": run_id, "owner": None})
    made: dict[str, Any] = {
        "id": run_id,
        "thread_id": new.thread_id,
        "tenant": new.tenant,
        "workflow": new.workflow,
    }
    made |= {"version": new.version, "requester": new.requester, "actor": f"agent:{new.workflow}", "owner": owner}
    made["input"] = Jsonb(new.input) if new.input is not None else None
    found = await (await conn.execute(_SQL["visit"], made)).fetchone()
    if found is None:
        raise refusal
    run = Run.of(found)
    if run.epoch == 1:
        said = {"kind": run.kind, "workflow": run.workflow, "version": run.version, "requester": run.requester}
        await audit.append(conn, run.subject(run.requester), Event.RUN_CREATED, {**said, "carried_by": carried_by})
    return run


async def leave_all(conn: Connection, owner: str) -> None:
    """A process that carried runs for another server stops."""
    await conn.execute(_SQL["leave_visits"], {"thread_id": None, "but": _NOBODY, "owner": owner})
