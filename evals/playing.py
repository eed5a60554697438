"""Plays one case through the real engine: its worlds, its replies and its people come from the script."""

import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from contracts.approval import JsonObject
from contracts.errors import GatehouseError
from contracts.event import Event
from engine.access.keys import Principal
from engine.approvals.model import ApprovalRequest
from engine.approvals.questions import Question, questions_of_thread
from engine.approvals.requests import asked_of_thread
from engine.approvals.timers import DueRequest, fire
from engine.audit import audit
from engine.audit.verify import verify
from engine.gateway.systems import Systems
from engine.models.recording import Recordings
from engine.runs.model import Cancellation, NewRun, NewThread, Run, RunOptions
from engine.runs.runs import list_runs
from engine.runs.threads import create_thread, get_thread
from engine.store.scope import enter_tenant
from engine.wiring import Engine
from engine.worker.admission import cancel_now
from engine.worker.advance import Carrier
from engine.worker.answers import Answers
from engine.worker.dispatchers import InlineDispatcher
from engine.worker.intake import Intake
from evals.case import Answer, Case, Earlier, Edit, Expire, Meanwhile, Reply
from evals.case_files import CaseFolder
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
from evals.recorded_carrier import RecordedCarrier
from evals.tool_traffic import ToolTraffic
from evals.voices import SILENCE, Spent, Voice
from evals.worlds.airline_data import airline_in
from evals.worlds.connected import systems_of
from evals.worlds.sandbox import EFFECT_KINDS, Effects, Worlds, effects_of, open_worlds
from evals.worlds.seed import read_seed

_REVIEWER = "some-reviewer"
_LEGS = 100

Open = ApprovalRequest | Question
Improvised = Callable[[Open], Answer]


@dataclass
class Scene:
    """One case under way. Everything that another case could notice is its own."""

    engine: Engine
    case: Case
    worlds: Worlds
    systems: Systems
    carrier: Carrier
    intake: Intake
    answers: Answers
    wake_ups: InlineDispatcher
    thread_id: str
    traffic: ToolTraffic | None = None
    """What outside systems answer in a recorded case; None: the worlds."""
    earlier: list[str] = field(default_factory=list)
    """Threads of the cases that were opened before."""
    off_script: list[str] = field(default_factory=list)
    done_by_others: list[JsonObject] = field(default_factory=list)
    graph_ms: float = 0.0

    @property
    def tenant(self) -> str:
        """Of its own: what a workflow keeps in our records is no other case's."""
        return f"evals-{self.thread_id}"

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """What happens inside would happen without an eval, too."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.graph_ms += (time.perf_counter() - began) * 1000

    async def go_on(self) -> None:
        with self.at_work():
            await self.wake_ups.drain(self.carrier)

    async def open_item(self) -> Open | None:
        """What the case waits for."""
        async with self.engine.database.transaction() as conn:
            requests = await asked_of_thread(conn, self.thread_id)
            questions = await questions_of_thread(conn, self.thread_id)
        waiting: list[Open] = [request for request in requests if request.status == "pending"]
        waiting += [question for question in questions if question.status == "open"]
        return waiting[0] if waiting else None


async def play(engine: Engine, folder: CaseFolder, replies: Recordings, voice: Voice = SILENCE) -> Observation:
    """Play the case from its input to where its script leaves it, and say what it did."""
    async with on_stage(engine, folder, replies, voice) as scene:
        return await perform(scene, folder.workflow)


async def perform(scene: Scene, workflow: str, improvised: Improvised | None = None) -> Observation:
    """Play what is on stage; once the script is over, `improvised` answers whatever the case waits for."""
    enter_tenant(scene.tenant)
    try:
        await _submit(scene, workflow)
    except GatehouseError as error:
        return _refused(error)
    for number, answer in enumerate(scene.case.answers, start=1):
        await _answer(scene, answer, number)
    while improvised and (waiting := await scene.open_item()):
        await _answer(scene, improvised(waiting), 0)
    observation = await _observe(scene)
    await _leave_nothing_waiting(scene)
    return observation


@asynccontextmanager
async def on_stage(
    engine: Engine, folder: CaseFolder, replies: Recordings, voice: Voice = SILENCE
) -> AsyncIterator[Scene]:
    """The case in worlds of its own, gone afterwards. Raises `ConfigurationError` for a world that is none."""
    case, thread_id = folder.case, str(uuid.uuid4())
    faults = {f"fault-{number}": said.fault() for number, said in enumerate(case.faults, start=1)}
    airline = airline_in(folder.folder / case.airline) if case.airline else None
    worlds, wake_ups = open_worlds(None, faults, airline=airline), InlineDispatcher()
    traffic = ToolTraffic(folder.answered, thread_id) if folder.answered is not None else None
    systems = Systems({}, {}) if traffic else systems_of(worlds)
    spoken: dict[str, Any] = {"routes": voice.live.routes, "recordings": replies, "records_to": voice.kept}
    models = replace(engine.carrier.models, **spoken, stand_ins=False)
    rooms: dict[str, Any] = {"dispatcher": wake_ups, "systems": systems, "models": models}
    carrier = replace(engine.carrier, **rooms, opened_on=case.opened_on or read_seed().today)
    if traffic or voice.beyond.routes:
        carrier = RecordedCarrier(**vars(carrier), traffic=traffic, beyond=voice.beyond.routes)
    intake = replace(engine.intake, dispatcher=wake_ups)
    answers = replace(engine.answers, dispatcher=wake_ups)
    try:
        yield Scene(engine, case, worlds, systems, carrier, intake, answers, wake_ups, thread_id, traffic)
    finally:
        await systems.close()
        worlds.close()


async def _submit(scene: Scene, workflow: str) -> None:
    """Open the case, after those that were opened before it."""
    for before in scene.case.earlier:
        scene.earlier.append(str(uuid.uuid4()))
        await _open(scene, scene.earlier[-1], workflow, before)
    scene.done_by_others += _everything(scene.worlds)
    await _open(scene, scene.thread_id, workflow, scene.case)


async def _open(scene: Scene, thread_id: str, workflow: str, said: Case | Earlier) -> None:
    async with scene.engine.database.transaction() as conn:
        await create_thread(conn, NewThread(thread_id, scene.tenant))
    with scene.at_work():
        options = RunOptions(context=said.context) if isinstance(said, Case) else RunOptions()
        new = NewRun(thread_id, scene.tenant, workflow, f"key:{said.requester}", said.input, options=options)
        await scene.intake.accept(new)
    await scene.go_on()


def _refused(error: GatehouseError) -> Observation:
    problem: JsonObject = {"code": error.code, "category": error.category, "stage": ""}
    return Observation("refused", path=(), gates=(), problem=problem, errors=(error.code,))


async def _answer(scene: Scene, answer: Answer, number: int) -> None:
    """Give one scripted answer to what the case waits for now."""
    for event in answer.meanwhile:
        await _happen(scene, event)
    waiting = await scene.open_item()
    if waiting is None or isinstance(waiting, Question) != isinstance(answer, Reply):
        awaited = "nothing" if waiting is None else f"{type(waiting).__name__} at {waiting.stage}"
        scene.off_script.append(f"answer {number} ({answer.type}) found the case waiting for {awaited}")
        return
    code = ""
    try:
        with scene.at_work():
            await _give(scene, answer, waiting)
    except GatehouseError as error:
        code = error.code
    if code != answer.refused:
        expected, actual = answer.refused or "accepted", code or "accepted"
        scene.off_script.append(f"answer {number} ({answer.type}) should have been {expected}, and was {actual}")
    await scene.go_on()


async def _give(scene: Scene, answer: Answer, waiting: Open) -> None:
    if isinstance(answer, Expire) and isinstance(waiting, ApprovalRequest) and waiting.expires_at:
        async with scene.engine.database.transaction() as conn:
            # This request alone: a sweep at a later time would end those of other cases in the same database.
            over = waiting.expires_at + timedelta(seconds=1)
            await fire(conn, DueRequest(waiting.id, waiting.tenant, waiting.thread_id, over), scene.wake_ups, now=over)
        return
    value = _value(answer, waiting)
    await scene.answers.resume(scene.thread_id, {str(waiting.interrupt_id): value}, _principal(scene, answer, waiting))


def _value(answer: Answer, waiting: Open) -> JsonObject:
    """What a client would send."""
    if isinstance(answer, Reply):
        return {"text": answer.text}
    if isinstance(answer, Edit) and isinstance(waiting, ApprovalRequest):
        edited: JsonObject = {"name": waiting.tool, "args": waiting.args | answer.args}
        return {"type": "edit", "edited_action": edited, "reason": answer.reason}
    return answer.model_dump(include={"type", "reason", "message"})


def _principal(scene: Scene, answer: Answer, waiting: Open) -> Principal:
    if isinstance(answer, Reply):
        return Principal(f"key:{answer.by or scene.case.requester}", frozenset({"caller"}), frozenset(), scene.tenant)
    held = getattr(answer, "holds", None)
    if held is None:
        held = list(waiting.quorum.roles) if isinstance(waiting, ApprovalRequest) else []
    return Principal(f"key:{answer.by or _REVIEWER}", frozenset({"reviewer"}), frozenset(held), scene.tenant)


async def _happen(scene: Scene, event: Meanwhile) -> None:
    """Have somebody else act in an outside system; what they do is not the case's doing."""
    before = _everything(scene.worlds)
    key = {"Idempotency-Key": f"somebody else {len(scene.done_by_others)}"}
    answer = await scene.systems.client(event.system).post(event.path, json=event.body, headers=key)
    if answer.is_error:
        scene.off_script.append(f"{event.system} answered somebody else {answer.status_code}: {answer.text}")
    scene.done_by_others += [effect for effect in _everything(scene.worlds) if effect not in before]


def _everything(worlds: Worlds) -> list[JsonObject]:
    effects = effects_of(worlds)
    return [effect for kind in EFFECT_KINDS for effect in effects.of(kind)]


async def _observe(scene: Scene) -> Observation:
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


async def _leave_nothing_waiting(scene: Scene) -> None:
    """A case that still waits would keep a later version of its workflow from starting on this database."""
    async with scene.engine.database.transaction() as conn:
        for thread_id in (scene.thread_id, *scene.earlier):
            newest = (await list_runs(conn, thread_id, tenant=scene.tenant, limit=1))[0]
            if newest.status == "interrupted" and newest.outcome is None:
                await cancel_now(conn, newest, scene.wake_ups, Cancellation("system"))
