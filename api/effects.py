"""Effects of unknown outcome: listed, read, and settled by a person who found out."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field

from api.bodies import Body
from api.door import Reader, Staff, TheEngine
from api.pages import Offset
from engine.gateway.outcomes import Effect, EffectFilter, get_effect, search_effects
from engine.gateway.payloads import ResolutionBody
from engine.wiring import Engine

router = APIRouter(prefix="/effects", tags=["effects"])
CallKey = Annotated[str, Path(pattern=r"^[\w:-]+$", max_length=200)]
State = Literal["started", "done", "refused", "unknown", "resolved_done", "resolved_not_done", "all"]


class ListQuery(Body):
    """Which effects are listed."""

    state: State = "unknown"
    workflow: str | None = Field(None, max_length=200)
    tool: str | None = Field(None, max_length=200)
    thread_id: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Offset = 0

    def filter(self) -> EffectFilter:
        return EffectFilter(
            state=None if self.state == "all" else self.state,
            workflow=self.workflow,
            tool=self.tool,
            thread_id=str(self.thread_id) if self.thread_id else None,
        )


@router.get("")
async def list_(engine: TheEngine, principal: Reader, where: Annotated[ListQuery, Query()]) -> list[dict[str, Any]]:
    """Calls that change something, the one that was begun first at the top."""
    async with engine.database.transaction() as conn:
        found = await search_effects(
            conn, where.filter(), tenant=principal.tenant, limit=where.limit, offset=where.offset
        )
    return [_json(effect) for effect in found]


@router.get("/{key}")
async def get(key: CallKey, engine: TheEngine, principal: Reader) -> dict[str, Any]:
    """One effect, with the schema of its tool's reply: that is the `result` of one that happened."""
    async with engine.database.transaction() as conn:
        effect = await get_effect(conn, key, tenant=principal.tenant)
    return _json(effect) | {"result_schema": _result_schema(engine, effect)}


@router.post("/{key}/resolve")
async def resolve(key: CallKey, body: ResolutionBody, engine: TheEngine, principal: Staff) -> dict[str, Any]:
    """Say what became of an effect: `happened` (with its `result`), `did_not_happen` (it may be tried once more) or
    `abort`.

    For reviewers and operators other than who started the case. Exactly one resolution wins, the others get 409. A
    case that waits for it goes on as the run `run_id`.
    """
    effect, run = await engine.answers.settle(key, body.resolution(), principal)
    return _json(effect) | {"resumed_by": run.id if run else None}


def _json(effect: Effect) -> dict[str, Any]:
    hidden = ("tenant", "leg_id", "parked")
    shown = {name: value for name, value in vars(effect).items() if name not in hidden}
    return {"key": shown.pop("call_key"), **shown, "waits": effect.waits}


def _result_schema(engine: Engine, effect: Effect) -> dict[str, Any] | None:
    """None where only another version of the workflow has the tool."""
    tools = [tool for w in engine.catalog.values() if w.name == effect.workflow for tool in w.policy.callable_tools]
    found = [tool for tool in tools if (tool.name, tool.version) == (effect.tool, effect.tool_version)]
    return found[0].reply.model_json_schema() if found else None
