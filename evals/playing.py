"""Plays one case through the real engine: its worlds, its replies and its people come from the script."""

import uuid
from collections.abc import Callable
from datetime import timedelta

from contracts.approval import JsonObject
from contracts.errors import GatehouseError
from engine.access.keys import Principal
from engine.approvals.model import ApprovalRequest
from engine.approvals.questions import Question
from engine.approvals.timers import DueRequest, fire
from engine.models.recording import Recordings
from engine.runs.model import Cancellation, NewRun, NewThread, RunOptions
from engine.runs.runs import list_runs
from engine.runs.threads import create_thread
from engine.store.scope import enter_tenant
from engine.wiring import Engine
from engine.worker.admission import cancel_now
from evals.case import Answer, Case, Earlier, Edit, Expire, Meanwhile, Reply
from evals.case_files import CaseFolder
from evals.observation import (
    Observation,
)
from evals.observing import observe
from evals.scene import Open, Scene, on_stage
from evals.voices import SILENCE, Voice
from evals.worlds.sandbox import effects_of

_REVIEWER = "some-reviewer"

Improvised = Callable[[Open], Answer]


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
    observation = await observe(scene)
    await _leave_nothing_waiting(scene)
    return observation


async def _submit(scene: Scene, workflow: str) -> None:
    """Open the case, after those that were opened before it."""
    for before in scene.case.earlier:
        scene.earlier.append(str(uuid.uuid4()))
        await _open(scene, scene.earlier[-1], workflow, before)
    scene.done_by_others += effects_of(scene.worlds).every
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
    before = effects_of(scene.worlds).every
    key = {"Idempotency-Key": f"somebody else {len(scene.done_by_others)}"}
    answer = await scene.systems.client(event.system).post(event.path, json=event.body, headers=key)
    if answer.is_error:
        scene.off_script.append(f"{event.system} answered somebody else {answer.status_code}: {answer.text}")
    scene.done_by_others += [effect for effect in effects_of(scene.worlds).every if effect not in before]


async def _leave_nothing_waiting(scene: Scene) -> None:
    """A case that still waits would keep a later version of its workflow from starting on this database."""
    async with scene.engine.database.transaction() as conn:
        for thread_id in (scene.thread_id, *scene.earlier):
            newest = (await list_runs(conn, thread_id, tenant=scene.tenant, limit=1))[0]
            if newest.status == "interrupted" and newest.outcome is None:
                await cancel_now(conn, newest, scene.wake_ups, Cancellation("system"))
