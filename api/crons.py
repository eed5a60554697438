"""Crons: runs that start by themselves, on a thread or each on one of its own."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, JsonValue, ValidationError

from api.bodies import Body
from api.door import Anybody, Caller, TheEngine
from api.modes import StreamMode
from api.pages import Limit, Offset, selected, set_page_headers
from api.run_bodies import ConfigBody, RunBody, Stages
from contracts.errors import InvalidRequest, NotFound
from engine.access.keys import Principal
from engine.assistants.assistants import find_assistant
from engine.runs.threads import get_thread
from engine.schedules import schedules
from engine.schedules.model import OnRunCompleted, Plan, Schedule, SortBy, Wanted
from engine.store.database import Connection
from engine.wiring import Engine
from engine.worker.ticks import new_run

router = APIRouter(tags=["crons"])

Json = dict[str, Any]
Object = dict[str, JsonValue]
Member = Literal[
    "cron_id", "assistant_id", "thread_id", "on_run_completed", "end_time", "schedule", "timezone", "created_at",
    "updated_at", "user_id", "payload", "next_run_date", "metadata", "now", "enabled",
]  # fmt: skip


class _Runs(Body):
    """What each run of a cron gets, as in `RunBody`."""

    input: Object | None = None
    config: ConfigBody | None = None
    context: Object | None = None
    interrupt_before: Stages | None = None
    interrupt_after: Stages | None = None
    webhook: str | None = Field(None, max_length=2000)
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    durability: Literal["sync", "async", "exit"] | None = None
    multitask_strategy: Literal["enqueue", "reject", "interrupt", "rollback"] | None = None
    checkpoint_during: bool | None = Field(None, deprecated="Use durability.")

    def runs(self) -> Object:
        """The members that were given."""
        given: Object = self.model_dump(mode="json", include=set(_Runs.model_fields), exclude_none=True)
        return given


class CronBody(_Runs):
    """`crons.create` and `crons.create_for_thread`."""

    assistant_id: str
    schedule: str
    timezone: str | None = None
    end_time: datetime | None = None
    enabled: bool = True
    on_run_completed: OnRunCompleted | None = None
    metadata: Object = Field(default_factory=dict)


class CronChangeBody(_Runs):
    """`crons.update`: what is given replaces what was there; `metadata` is merged into it."""

    schedule: str | None = None
    timezone: str | None = None
    end_time: datetime | None = Field(None, description="Null clears it.")
    enabled: bool | None = None
    on_run_completed: OnRunCompleted | None = None
    metadata: Object = Field(default_factory=dict)

    def change(self, plan: Plan) -> Plan:
        given: Json = {"cron": self.schedule, "timezone": self.timezone, "enabled": self.enabled}
        given |= {"on_run_completed": self.on_run_completed}
        changed = {name: value for name, value in given.items() if value is not None}
        if "end_time" in self.model_fields_set:
            changed["end_at"] = _aware(self.end_time)
        metadata = plan.metadata | self.metadata
        return replace(plan, metadata=metadata, payload=plan.payload | self.runs(), **changed)


class CronCountBody(Body):
    """`crons.count`."""

    assistant_id: str | None = None
    thread_id: UUID | None = None
    enabled: bool | None = None
    metadata: Object | None = None


class CronSearchBody(CronCountBody):
    """`crons.search`."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: SortBy = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    select: list[Member] | None = None


@router.post("/runs/crons")
async def create(body: CronBody, engine: TheEngine, principal: Caller) -> Json:
    """Have runs start by themselves, each on a thread of its own."""
    return await _create(engine, principal, body, None)


@router.post("/threads/{thread_id}/runs/crons")
async def create_for_thread(thread_id: UUID, body: CronBody, engine: TheEngine, principal: Caller) -> Json:
    """Have runs start by themselves on one thread."""
    return await _create(engine, principal, body, str(thread_id))


@router.post("/runs/crons/search")
async def search(body: CronSearchBody, engine: TheEngine, principal: Anybody, response: Response) -> list[Json]:
    """Crons of the tenant."""
    page = {"limit": body.limit, "offset": body.offset, "sort_by": body.sort_by, "ascending": body.sort_order == "asc"}
    found, total = await _search(engine, principal, body, **page)
    set_page_headers(response, total=total, offset=body.offset, limit=body.limit)
    now = datetime.now(UTC)
    select = body.select or [name for name in get_args(Member) if name != "now"]
    return [selected(cron_json(cron) | {"now": now}, select) for cron in found]


@router.post("/runs/crons/count")
async def count(body: CronCountBody, engine: TheEngine, principal: Anybody) -> int:
    """How many crons a search would find."""
    return (await _search(engine, principal, body))[1]


@router.get("/runs/crons/{cron_id}")
async def get(cron_id: UUID, engine: TheEngine, principal: Anybody) -> Json:
    """One cron; `last_run_id` and `last_error` say what came of it the last time."""
    async with engine.database.transaction() as conn:
        cron = await schedules.get_schedule(conn, str(cron_id), tenant=principal.tenant)
    last = {"last_run_date": cron.last_run_at, "last_run_id": cron.last_run_id, "last_error": cron.last_error}
    return cron_json(cron) | last


@router.patch("/runs/crons/{cron_id}")
async def change(cron_id: UUID, body: CronChangeBody, engine: TheEngine, principal: Caller) -> Json:
    """Change a cron of one's own, or any as an operator; from then on its runs are the caller's."""
    async with engine.database.transaction() as conn:
        held = await schedules.hold_schedule(conn, str(cron_id), principal)
        plan = await _checked(conn, engine, principal, body.change(held.plan))
        return cron_json(await schedules.change_schedule(conn, held, plan, principal))


@router.delete("/runs/crons/{cron_id}", status_code=204)
async def delete(cron_id: UUID, engine: TheEngine, principal: Caller) -> None:
    """Remove a cron of one's own, or any as an operator; its runs stay."""
    async with engine.database.transaction() as conn:
        held = await schedules.hold_schedule(conn, str(cron_id), principal)
        await schedules.delete_schedule(conn, held, principal)


def cron_json(cron: Schedule) -> Json:
    """A cron as `langgraph_sdk.schema.Cron` has it."""
    plan = cron.plan
    asked: Json = {"assistant_id": plan.assistant_id, "schedule": plan.cron, "metadata": plan.metadata}
    return {
        "cron_id": cron.id,
        "assistant_id": plan.assistant_id,
        "thread_id": plan.thread_id,
        "on_run_completed": plan.on_run_completed,
        "schedule": plan.cron,
        "timezone": plan.timezone,
        "end_time": plan.end_at,
        "enabled": plan.enabled,
        "payload": plan.payload | asked,
        "metadata": plan.metadata,
        "user_id": cron.requester,
        "next_run_date": cron.next_run_at,
        "created_at": cron.created_at,
        "updated_at": cron.updated_at,
    }


async def _create(engine: Engine, principal: Principal, body: CronBody, thread_id: str | None) -> Json:
    plan = Plan(
        cron=body.schedule,
        assistant_id=body.assistant_id,
        payload=body.runs(),
        timezone=body.timezone,
        thread_id=thread_id,
        on_run_completed=body.on_run_completed if thread_id else body.on_run_completed or "delete",
        enabled=body.enabled,
        end_at=_aware(body.end_time),
        metadata=body.metadata,
    )
    async with engine.database.transaction() as conn:
        checked = await _checked(conn, engine, principal, plan)
        return cron_json(await schedules.create_schedule(conn, checked, principal))


async def _checked(conn: Connection, engine: Engine, principal: Principal, plan: Plan) -> Plan:
    """The plan as it is kept: with the assistant's id, and its input as the workflow's guards leave it.

    Raises what a run with this payload would raise now, so that a cron is not refused at night.
    """
    if plan.thread_id and plan.on_run_completed:
        raise InvalidRequest("`on_run_completed` is about threads made for a run; this cron has one thread.")
    if plan.thread_id:
        await get_thread(conn, plan.thread_id, tenant=principal.tenant)
    elif plan.payload.get("input") is None:
        raise InvalidRequest("A run on a thread of its own needs an input.")
    workflow, assistant = await find_assistant(conn, engine.catalog, plan.assistant_id, principal.tenant)
    options = vars(_run_body(plan).options())
    asked = {name: value for name, value in options.items() if name in plan.payload}
    kept = replace(plan, assistant_id=assistant.id, payload=plan.payload | asked)
    ready = engine.intake.prepared(new_run(kept, principal, workflow.name, assistant.setup))
    if ready.webhook:
        await engine.intake.targets.require_allowed(ready.webhook)
    return replace(kept, payload=kept.payload | {"input": ready.input})


def _run_body(plan: Plan) -> RunBody:
    try:
        return RunBody.model_validate(plan.payload | {"assistant_id": plan.assistant_id})
    except ValidationError as error:
        raise InvalidRequest(f"The payload does not fit any more: {error.errors()[0]['msg']}.") from error


async def _search(engine: Engine, principal: Principal, body: CronCountBody, **page: Any) -> tuple[list[Schedule], int]:
    assistant_id = None
    async with engine.database.transaction() as conn:
        if body.assistant_id:
            try:
                _, assistant = await find_assistant(conn, engine.catalog, body.assistant_id, principal.tenant)
            except NotFound:
                return [], 0
            assistant_id = assistant.id
        thread_id = str(body.thread_id) if body.thread_id else None
        wanted = Wanted(assistant_id, thread_id, body.enabled, body.metadata or {}, **page)
        return await schedules.search_schedules(conn, wanted, tenant=principal.tenant)


def _aware(at: datetime | None) -> datetime | None:
    """A time without a zone is meant in UTC."""
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
