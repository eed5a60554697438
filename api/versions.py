"""Versions of workflows: listed, compared, drained, and cases moved from one to another."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import Field

from api.bodies import Body
from api.door import AuthorToo, Operator, TheEngine
from contracts.errors import InvalidRequest
from engine.catalog import versions
from engine.runs.pins import parked_stages
from engine.runs.runs import get_run
from engine.worker.migration import Move

router = APIRouter(prefix="/versions", tags=["versions"])

Json = dict[str, Any]
Digest = Annotated[str, Path(description="A version.", pattern=r"^[^\x00]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=1000, description="Why; kept in the audit trail.")]


class DrainBody(Body):
    """A drain begins or ends."""

    reason: Reason


class MigrationBody(Body):
    """Which cases go on under which version."""

    source: str = Field(alias="from", description="The version to which the cases are pinned.")
    to: str = Field(description="The loaded version under which they go on.")
    reason: Reason
    run_id: UUID | None = Field(None, description="Only the case of this run.")
    all: bool = Field(False, description="Every case of `from`, in parts.")
    after: int = Field(0, ge=0, description="`next` of the part before.")
    limit: int = Field(200, ge=1, le=1000, description="Cases in one part.")


@router.get("")
async def list_(engine: TheEngine, principal: AuthorToo) -> list[Json]:
    """Every version seen, the newest first, with how many cases of the caller's tenant stand on each."""
    async with engine.database.transaction() as conn:
        found = await versions.list_versions(conn, engine.catalog, tenant=principal.tenant)
    return [asdict(version) for version in found]


@router.get("/{digest}")
async def get(digest: Digest, engine: TheEngine, principal: AuthorToo) -> Json:
    """What a version pins, and where the cases wait that stand on it."""
    async with engine.database.transaction() as conn:
        manifest = await versions.manifest_of(conn, digest)
        parked = await parked_stages(conn, version=digest, tenant=principal.tenant)
    return {"digest": digest, "manifest": manifest, "parked": parked}


@router.get("/{before}/diff/{after}")
async def diff(before: Digest, after: Digest, engine: TheEngine, principal: AuthorToo) -> list[Json]:
    """The values in which two versions differ."""
    async with engine.database.transaction() as conn:
        return [asdict(difference) for difference in await versions.compare(conn, before, after)]


@router.post("/{digest}/drain")
async def drain(digest: Digest, body: DrainBody, engine: TheEngine, principal: Operator) -> Json:
    """Let no new run of the caller's tenant start under a version; answers where cases still wait on it."""
    async with engine.database.transaction() as conn:
        await versions.drain(conn, digest, principal, reason=body.reason)
        parked = await parked_stages(conn, version=digest, tenant=principal.tenant)
    return {"digest": digest, "parked": parked}


@router.post("/{digest}/drain/end")
async def end_drain(digest: Digest, body: DrainBody, engine: TheEngine, principal: Operator) -> Json:
    """Let runs start under a version again."""
    async with engine.database.transaction() as conn:
        await versions.end_drain(conn, digest, principal, reason=body.reason)
    return {"digest": digest}


@router.post("/migrations")
async def migrate(body: MigrationBody, engine: TheEngine, principal: Operator) -> Json:
    """Move one case, or all that stand on a version, to the loaded one; those that would not be the same stay."""
    if (body.run_id is None) is not body.all:
        raise InvalidRequest("Say either `run_id` or `all`.")
    move = Move(body.source, body.to, principal.name, body.reason)
    if body.run_id is None:
        moved = await engine.migrator.migrate_part(move, tenant=principal.tenant, after=body.after, limit=body.limit)
        return {"moved": list(moved.run_ids), "refused": [asdict(r) for r in moved.refused], "next": moved.next}
    async with engine.database.transaction() as conn:
        run = await get_run(conn, str(body.run_id), tenant=principal.tenant)
    await engine.migrator.migrate(run, move)
    return {"moved": [run.id], "refused": [], "next": None}
