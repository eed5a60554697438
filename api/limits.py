"""Limits: what is switched off and on again, how caps stand, and what fails too often."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.bodies import Body
from api.door import Anybody, Operator, Reader, TheEngine
from contracts.errors import NotFound, Unauthenticated
from engine.access.keys import Principal
from engine.gateway.outcomes import call_is_off
from engine.limits import switches
from engine.limits.breakers import breakers_of
from engine.limits.report import Line, Wanted, caps_of
from engine.limits.switches import Scope, Switch
from engine.runs.runs import get_run
from engine.store.database import Connection
from engine.wiring import Engine

router = APIRouter(tags=["limits"])

Json = dict[str, Any]
SwitchId = Annotated[int, Path(description="A switch.", ge=1, le=2**63 - 1)]


class OffBody(Body):
    """Something is switched off."""

    scope: Annotated[Scope, Field(description="What kind of thing; `tenant` is the caller's own.")]
    name: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$", description="Which one; a run by its id.")] = ""
    reason: Annotated[str, Field(min_length=1, max_length=1000, description="Why; kept in the audit trail.")]


class OnBody(Body):
    """Something is to be on again."""

    reason: Annotated[str, Field(min_length=1, max_length=1000, description="Why; kept in the audit trail.")]


class SwitchShown(BaseModel):
    """One switch."""

    id: int
    scope: Scope
    name: str
    off: bool
    reason: str
    off_by: str
    off_at: datetime
    on_asked_by: str | None
    on_asked_at: datetime | None
    on_by: str | None
    on_at: datetime | None

    @classmethod
    def of(cls, switch: Switch) -> "SwitchShown":
        return cls(off=switch.off, **vars(switch))


class TokenBody(Body):
    """The token of a call."""

    token: Annotated[str, Field(max_length=16_384, description="As the outside system received it.")]


class Introspected(BaseModel):
    """What RFC 7662 asks for at least."""

    active: bool


@router.get("/switches")
async def list_switches(
    engine: TheEngine,
    principal: Reader,
    every: Annotated[bool, Query(alias="all", description="Those that are on again, too.")] = False,
) -> list[SwitchShown]:
    """What is switched off in the caller's tenant, newest first."""
    async with engine.database.reading() as conn:
        return [SwitchShown.of(s) for s in await switches.switches(conn, tenant=principal.tenant, all_=every)]


@router.post("/switches", status_code=201)
async def switch_off(body: OffBody, engine: TheEngine, principal: Operator) -> SwitchShown:
    """Stop a tenant, workflow, run or tool: effective on its next call, everywhere. Two operators let it go on."""
    async with engine.database.transaction() as conn:
        name = await _name(conn, engine, principal, body)
        return SwitchShown.of(await switches.switch_off(conn, body.scope, name, principal, reason=body.reason))


@router.post("/switches/{switch_id}/on")
async def switch_on(switch_id: SwitchId, body: OnBody, engine: TheEngine, principal: Operator) -> SwitchShown:
    """Ask for something to be on again or, as a second operator, agree: then it is."""
    async with engine.database.transaction() as conn:
        return SwitchShown.of(await switches.switch_on(conn, switch_id, principal, reason=body.reason))


@router.get("/limits")
async def limits(
    engine: TheEngine,
    principal: Reader,
    run_id: Annotated[UUID | None, Query(description="Of the case of this run; by default of today.")] = None,
) -> list[Line]:
    """Every cap that a workflow's budget sets: its limit, what is spent, reserved by calls under way, and left."""
    async with engine.database.reading() as conn:
        wanted = [Wanted(w.name, w.policy.budget) for w in engine.catalog.values()]
        if run_id:
            run = await get_run(conn, str(run_id), tenant=principal.tenant)
            wanted = [Wanted(w.workflow, w.budget, run.case_id) for w in wanted if w.workflow == run.workflow]
        return await caps_of(conn, wanted, tenant=principal.tenant)


@router.get("/breakers")
async def breakers(engine: TheEngine, principal: Reader) -> list[Json]:
    """Tools and models that have failed lately: how often, and until when they are left alone."""
    async with engine.database.reading() as conn:
        return await breakers_of(conn, tenant=principal.tenant)


@router.post("/capabilities/introspection")
async def introspect(body: TokenBody, engine: TheEngine, principal: Anybody) -> Introspected:
    """Whether the token of a call still counts (RFC 7662): not once what makes the call is switched off."""
    credentials = engine.carrier.systems.credentials
    try:
        claims = credentials.mint.read(body.token) if credentials else {}
    except Unauthenticated:
        return Introspected(active=False)
    if claims.get("tenant") != principal.tenant:
        return Introspected(active=False)
    async with engine.database.reading() as conn:
        off = await call_is_off(conn, str(claims["txn"]), str(claims["aud"]).partition("@")[0], tenant=principal.tenant)
    return Introspected(active=not off)


async def _name(conn: Connection, engine: Engine, principal: Principal, body: OffBody) -> str:
    """As the gateway knows it. Raises `NotFound` for what there is not, or not for this caller."""
    match body.scope:
        case "tenant":
            return principal.tenant
        case "run":
            return (await get_run(conn, body.name, tenant=principal.tenant)).case_id
        case "workflow":
            known = {workflow.name for workflow in engine.catalog.values()}
        case "tool":
            known = {tool.name for w in engine.catalog.values() for tool in w.policy.callable_tools}
    if body.name not in known:
        raise NotFound(f"There is no {body.scope} {body.name!r}.", hint=f"One of: {', '.join(sorted(known))}.")
    return body.name
