"""Threads: made, found, changed, copied, pruned, deleted. Their state is in `states`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Response

from api.bodies import PruneBody, ThreadBody, ThreadFilterBody, ThreadPatchBody, ThreadSearchBody
from api.door import Anybody, Caller, TheEngine
from api.pages import selected, set_page_headers
from api.shapes import extracted, thread_json
from api.states import apply_steps, thread_of
from contracts.errors import AlreadyExists, GateOpen, InvalidRequest, NotFound, ThreadBusy
from engine.access.keys import Principal
from engine.runs.model import NewThread
from engine.runs.threads import ThreadFilter, count_threads, create_thread, make_thread, search_threads, update_thread
from engine.wiring import Engine

router = APIRouter(prefix="/threads", tags=["threads"])
_SCANNED = 1000
"""Threads looked into for a search by values: state is sealed, so the database cannot look."""


@router.post("")
async def create(body: ThreadBody, engine: TheEngine, principal: Caller) -> dict[str, Any]:
    """Make a thread: the durable state of one case. `supersteps` give it a state; then it does not act."""
    graph_id = body.metadata.get("graph_id")
    if graph_id is not None and graph_id not in list(engine.catalog):
        raise InvalidRequest(
            f"There is no graph {graph_id!r}.", hint=f"There are: {', '.join(sorted(engine.catalog))}."
        )
    ttl = body.ttl
    new = NewThread(
        str(body.thread_id),
        principal.tenant,
        body.metadata,
        ttl_minutes=ttl.ttl if ttl else None,
        on_expiry=ttl.strategy if ttl else None,
    )
    async with engine.database.transaction() as conn:
        try:
            made = await make_thread(conn, new, by=principal.name)
            if not made:
                await create_thread(conn, new, or_existing=body.if_exists == "do_nothing")
        except NotFound as error:  # the id is taken by what this caller may not see
            raise AlreadyExists(f"The id {new.id} is taken.", hint="Leave `thread_id` out.") from error
    if made and not body.supersteps:
        return thread_json(made, None)
    if made:
        await apply_steps(engine, principal, new.id, [step.updates for step in body.supersteps])
    return await _shown(engine, principal, body.thread_id)


@router.post("/search")
async def search(
    body: ThreadSearchBody, engine: TheEngine, principal: Anybody, response: Response
) -> list[dict[str, Any]]:
    """Threads that fit. A search by `values` looks into the newest thousand of them."""
    where, limit = _filter(body, principal), body.limit
    async with engine.database.transaction() as conn:
        found = await search_threads(
            conn,
            where,
            sort_by=body.sort_by,
            descending=body.sort_order == "desc",
            limit=_SCANNED if body.values else limit,
            offset=0 if body.values else body.offset,
        )
        total = await count_threads(conn, where)
    if body.values:
        fitting = [t for t in found if await _holds(engine, t, body.values)]
        found, total = fitting[body.offset : body.offset + limit], len(fitting)
    set_page_headers(response, total=total, offset=body.offset, limit=limit)
    return [await _listed(engine, thread, body) for thread in found]


@router.post("/count")
async def count(body: ThreadFilterBody, engine: TheEngine, principal: Anybody) -> int:
    """How many threads fit; by `values`, of the newest thousand."""
    where = _filter(body, principal)
    async with engine.database.transaction() as conn:
        if not body.values:
            return await count_threads(conn, where)
        found = await search_threads(conn, where, limit=_SCANNED)
    return len([t for t in found if await _holds(engine, t, body.values)])


@router.post("/prune")
async def prune(body: PruneBody, engine: TheEngine, principal: Caller) -> dict[str, Any]:
    """Delete threads, or keep only their newest state; those that wait, run or are not found are left alone."""
    done, left = 0, []
    for thread_id in body.thread_ids:
        try:
            if body.strategy == "delete":
                await engine.editor.delete(str(thread_id), principal)
            else:
                await engine.editor.prune(str(thread_id), principal)
            done += 1
        except (NotFound, GateOpen, ThreadBusy) as error:
            left.append({"thread_id": str(thread_id), "code": error.code, "detail": error.detail})
    return {"pruned_count": done, "left": left}


@router.get("/{thread_id}")
async def get(thread_id: UUID, engine: TheEngine, principal: Anybody, include: str = "") -> dict[str, Any]:
    """A thread with its values and what it waits for; `include=ttl` adds when it ends."""
    thread = await thread_of(engine, principal, thread_id)
    shown = thread_json(thread, await engine.states.latest(thread))
    if "ttl" in include.split(",") and thread["expires_at"]:
        minutes, strategy = thread["ttl_minutes"], thread["on_expiry"]
        shown["ttl"] = {"ttl_minutes": minutes, "strategy": strategy, "expires_at": thread["expires_at"]}
    return shown


@router.patch("/{thread_id}", response_model=None, responses={204: {"description": "With `Prefer: return=minimal`."}})
async def update(
    thread_id: UUID,
    body: ThreadPatchBody,
    engine: TheEngine,
    principal: Caller,
    prefer: Annotated[str, Header()] = "",
) -> dict[str, Any] | Response:
    """Merge metadata, set when the thread ends. With `Prefer: return=minimal` nothing is answered."""
    ttl = body.ttl
    await thread_of(engine, principal, thread_id)
    async with engine.database.transaction() as conn:
        end = (ttl.ttl, ttl.strategy) if ttl else (None, None)
        await update_thread(conn, str(thread_id), body.metadata, *end, by=principal.name)
    return Response(status_code=204) if "return=minimal" in prefer else await _shown(engine, principal, thread_id)


@router.delete("/{thread_id}", status_code=204)
async def delete(thread_id: UUID, engine: TheEngine, principal: Caller) -> None:
    """Forget a thread's state. Refused while it waits or runs; its ledger and its audit trail stay."""
    await engine.editor.delete(str(thread_id), principal)


@router.post("/{thread_id}/copy")
async def copy(thread_id: UUID, engine: TheEngine, principal: Caller) -> dict[str, Any]:
    """A new thread with the same state and history. It does not act."""
    copied = await engine.editor.copy(str(thread_id), principal)
    return await _shown(engine, principal, copied["id"])


def _filter(body: ThreadFilterBody, principal: Principal) -> ThreadFilter:
    return ThreadFilter(principal.tenant, body.metadata, body.status, tuple(str(i) for i in body.ids))


async def _holds(engine: Engine, thread: dict[str, Any], values: dict[str, Any]) -> bool:
    snapshot = await engine.states.latest(thread)
    return snapshot is not None and all(snapshot.values.get(name) == value for name, value in values.items())


async def _listed(engine: Engine, thread: dict[str, Any], body: ThreadSearchBody) -> dict[str, Any]:
    wanted = body.select is None or body.extract or {"values", "interrupts"} & set(body.select)
    shown = thread_json(thread, await engine.states.latest(thread) if wanted else None)
    found = extracted(shown, body.extract) if body.extract else None
    return selected(shown, body.select) | ({"extracted": found} if found is not None else {})


async def _shown(engine: Engine, principal: Principal, thread_id: UUID) -> dict[str, Any]:
    thread = await thread_of(engine, principal, thread_id)
    return thread_json(thread, await engine.states.latest(thread))
