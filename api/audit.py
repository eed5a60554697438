"""The audit trail of a case, with whether its chain is whole."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from api.door import Anybody, TheEngine
from engine.audit.audit import chain, head, stream_of
from engine.audit.verify import first_fault
from engine.runs.runs import get_run

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("/runs/{run_id}")
async def of_run(run_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """Every record of the case that the run belongs to, in order. For its requester, reviewers and operators."""
    async with engine.database.snapshot() as conn:
        run = await get_run(conn, str(run_id), tenant=principal.tenant)
        principal.require_party(run.requester)
        stream = stream_of(run.thread_id)
        links = await chain(conn, stream)
        fault = first_fault(stream, links, await head(conn, stream))
    return {
        "run_id": run.id,
        "thread_id": run.thread_id,
        "intact": fault is None,
        "first_fault": {"seq": fault.seq, "problem": fault.problem} if fault else None,
        "records": [{"seq": link.seq, "hash": link.hash.hex(), **link.record} for link in links],
    }
