"""What a case did, from its trail, its state and what its worlds have seen."""

import json

from contracts.approval import JsonObject
from contracts.event import Event
from engine.approvals.requests import asked_of_thread
from engine.audit import audit
from engine.audit.verify import verify
from engine.runs.model import Run
from engine.runs.runs import list_runs
from engine.runs.threads import get_thread
from evals.decided import decisions_in
from evals.observation import (
    Done,
    Observation,
    answered_by,
    calls_in,
    count,
    errors_in,
    executed_in,
    gates_in,
    stages_in,
    unapproved_effects,
)
from evals.scene import Scene
from evals.voices import Spent
from evals.worlds.sandbox import EFFECT_KINDS, Effects, effects_of

_LEGS = 100


async def observe(scene: Scene) -> Observation:
    """Whatever became of it by now."""
    engine, stream = scene.engine, audit.stream_of(scene.thread_id)
    async with engine.database.transaction() as conn:
        thread = await get_thread(conn, scene.thread_id, tenant=scene.tenant)
        legs = await list_runs(conn, scene.thread_id, tenant=scene.tenant, limit=_LEGS)
        records = [link.record for link in await audit.chain(conn, stream)]
        requests = await asked_of_thread(conn, scene.thread_id)
        broken = [f"audit record {f.seq}: {f.problem}" for f in (await verify(conn, stream)).findings]
    snapshot = await engine.states.latest(thread)
    state: JsonObject = dict(snapshot.values) if snapshot else {}
    effects = effects_of(scene.worlds)
    cards = [request.card for request in requests]
    kept = [state, [run.input for run in legs], list(records), cards, [request.body for request in effects.requests]]
    return Observation(
        outcome=legs[0].outcome or "waiting",
        path=stages_in(records),
        gates=gates_in(records),
        done=_own(scene, effects),
        problem=_problem(state, legs[0]),
        model_calls=count(records, Event.MODEL_CALLED),
        tool_calls=count(records, Event.CALL_STARTED),
        executed=executed_in(records, scene.thread_id),
        recorded=scene.traffic is not None,
        spent=Spent.of(record["data"] for record in records if record["event"] == Event.MODEL_CALLED),
        missed=tuple(scene.traffic.missed) if scene.traffic else (),
        unasked=tuple(each.tool for each in scene.traffic.unused()) if scene.traffic else (),
        thread_id=scene.thread_id,
        calls=calls_in(records),
        models=answered_by(records),
        decisions=decisions_in(requests, records),
        errors=errors_in(records),
        state=state,
        kept=json.dumps(kept, ensure_ascii=False),
        off_script=tuple(scene.off_script),
        graph_ms=scene.graph_ms,
        breaches=(*unapproved_effects(records), *broken),
    )


def _own(scene: Scene, effects: Effects) -> Done:
    by_kind = {kind: tuple(e for e in effects.of(kind) if e not in scene.done_by_others) for kind in EFFECT_KINDS}
    return {kind: done for kind, done in by_kind.items() if done}


def _problem(state: JsonObject, last: Run) -> JsonObject:
    if last.error:
        return {"code": last.error["error"], "category": "", "stage": ""}
    found = state.get("problem")
    return {name: found[name] for name in ("code", "category", "stage")} if isinstance(found, dict) else {}
