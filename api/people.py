"""People who signed in by tokens of an identity provider: listed, blocked and let in again."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from api.door import Operator, Reader, TheEngine
from engine.access import people

router = APIRouter(prefix="/people", tags=["people"])

Name = Annotated[str, Path(description="As in records: `oidc:ada`.", pattern=r"^[a-z][a-z0-9-]*:[^\x00/]{1,200}$")]


@router.get("")
async def list_(engine: TheEngine, principal: Reader) -> list[dict[str, Any]]:
    """Everybody who signed in by a token, with what the newest one said of them."""
    async with engine.database.reading() as conn:
        return await people.list_people(conn, tenant=principal.tenant)


@router.post("/{name}/block", status_code=204)
async def block(name: Name, engine: TheEngine, principal: Operator) -> None:
    """Let somebody's tokens count no more, also for what they asked for before."""
    async with engine.database.transaction() as conn:
        await people.block(conn, name, principal)


@router.post("/{name}/unblock", status_code=204)
async def unblock(name: Name, engine: TheEngine, principal: Operator) -> None:
    """Let somebody's tokens count again; nobody does this for themselves."""
    async with engine.database.transaction() as conn:
        await people.unblock(conn, name, principal)
