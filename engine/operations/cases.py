"""Runs and their cases for operators: found, shown whole, told step by step. As JSON; reads only."""

from typing import Any

from psycopg.rows import DictRow

from engine.approvals.backlog import waiting_of_thread
from engine.audit.audit import chain, stream_of
from engine.gateway.backlog import waiting_effects_of_thread
from engine.runs.report import legs_of_case, run_facts
from engine.store.database import Connection

Json = dict[str, Any]


async def show_run(conn: Connection, run_id: str, *, tenant: str) -> Json:
    """One run with the legs of its case and what it waits for. Raises `NotFound`."""
    run = await run_facts(conn, run_id, tenant=tenant)
    thread_id = str(run["thread_id"])
    waiting: list[DictRow] = []
    if run["waits"]:
        waiting = [*await waiting_of_thread(conn, thread_id), *await waiting_effects_of_thread(conn, thread_id)]
    return {**run, "waits_for": waiting, "legs": await legs_of_case(conn, str(run["case_id"]))}


async def tell_case(conn: Connection, run_id: str, *, tenant: str, after: int = 0) -> Json:
    """A run and the audit records of its case after the one numbered `after`, in order. Raises `NotFound`."""
    run = await run_facts(conn, run_id, tenant=tenant)
    return {"run": run, "records": await records_of(conn, run, after=after)}


async def records_of(conn: Connection, run: DictRow, *, after: int = 0) -> list[Json]:
    """The audit records of the run's case behind the one numbered `after`, each with its `seq`."""
    links = await chain(conn, stream_of(run["thread_id"]), after=after)
    return [{"seq": link.seq, **link.record} for link in links]
