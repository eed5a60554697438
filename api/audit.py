"""The audit trail of a case, with whether its chain is whole."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from api.bodies import Body
from api.door import Anybody, Operator, Reader, TheEngine
from engine.audit.audit import chain, head, stream_of
from engine.audit.erasure import erase
from engine.audit.objects import cases_about
from engine.audit.seals import seals
from engine.audit.verify import first_fault
from engine.runs.runs import get_run

router = APIRouter(prefix="/audit", tags=["audit"])


Named = Annotated[str, Field(max_length=300, pattern=r"^[^:]+:.+$")]


class SearchQuery(Body):
    """Which business object is asked for."""

    object: Named = Field(description="`kind:value` as in `order:1042`, `system:value`, or `case:ID`.")
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    after: str = Field("", max_length=300, description="The `stream` of the last case of the page before.")


@router.get("/search")
async def search(engine: TheEngine, principal: Reader, where: Annotated[SearchQuery, Query()]) -> list[dict[str, Any]]:
    """Cases whose calls named a business object, with the record at which it came up first."""
    async with engine.database.reading() as conn:
        tenant = principal.tenant
        return await cases_about(conn, where.object, tenant=tenant, limit=where.limit, after=where.after)


class ErasureBody(Body):
    """Of whom the trail is to forget what it says, and why."""

    subject: Named = Field(description="`case:ID`, `requester:NAME`, or an object as in `customer:AC-1`.")
    reason: str = Field(min_length=1, max_length=1000, description="Kept on record: names nobody.")
    dry_run: bool = False


@router.post("/erase")
async def erase_(body: ErasureBody, engine: TheEngine, principal: Operator) -> dict[str, Any]:
    """Make what the trail says of a subject's ended cases unreadable for good. The chains stay whole, and say so.

    Cases that are `under_way` are left alone; where there is `more`, ask again.
    """
    by, tenant = principal.name, principal.tenant
    async with engine.database.transaction() as conn:
        erased = await erase(conn, body.subject, body.reason, by=by, tenant=tenant, dry_run=body.dry_run)
    return {**asdict(erased), "dry_run": body.dry_run}


@router.get("/runs/{run_id}")
async def of_run(run_id: UUID, engine: TheEngine, principal: Anybody) -> dict[str, Any]:
    """Every record of the case that the run belongs to, in order. For its requester, reviewers and operators."""
    async with engine.database.snapshot() as conn:
        run = await get_run(conn, str(run_id), tenant=principal.tenant)
        principal.require_party(run.requester)
        stream = stream_of(run.thread_id)
        links = await chain(conn, stream)
        sealed = (await seals(conn, stream)).get(stream, [])
        fault = first_fault(stream, links, await head(conn, stream), sealed)
    return {
        "run_id": run.id,
        "thread_id": run.thread_id,
        "intact": fault is None,
        "first_fault": {"seq": fault.seq, "problem": fault.problem} if fault else None,
        "records": [{"seq": link.seq, "hash": link.hash.hex(), **link.record} for link in links],
    }
