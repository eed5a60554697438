"""Plays one task through graph, gateway, policy and gates, and holds what came of it against what is on record."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from contracts.approval import JsonObject
from engine.access.keys import Principal
from engine.approvals.model import ApprovalRequest
from engine.approvals.questions import Question, questions_of_thread
from engine.approvals.requests import asked_of_thread
from engine.runs.model import NewRun, NewThread
from engine.runs.runs import list_runs
from engine.runs.threads import create_thread, get_thread
from engine.store.scope import of_tenant
from engine.wiring import Engine
from engine.worker.dispatchers import InlineDispatcher
from evals.tau_bench.on_record import Said
from evals.tau_bench.script import GoldModel
from evals.tau_bench.tasks import Action, Task, as_recorded, in_cents
from evals.worlds.connected import systems_of
from evals.worlds.retail_data import records_of
from evals.worlds.sandbox import open_worlds
from evals.worlds.seed import read_seed
from evals.worlds.whole_records import RecordData, digest_of
from graphs.customer_service.policy import NOT_COVERED
from graphs.customer_service.wishes import WRITES

_WORKFLOW, _CUSTOMER, _REVIEWER = "customer_service", "key:customer", "key:reviewer"
_WRITES = {tool.name for tool in WRITES}
_MOST_ANSWERS = 40


@dataclass(frozen=True)
class Replayed:
    """What became of one task."""

    task: int
    outcome: str
    actions: int
    observations: int
    """Gold actions whose observation is the one on record."""
    same_database: bool
    denied: tuple[str, ...]
    """Rules that denied a gold action which is on record as done."""
    refused: tuple[str, ...]
    """Rules that denied a gold action which is on record as an error."""
    approvals: int
    rules: tuple[str, ...]
    """Rules that asked a person."""
    problems: tuple[str, ...]
    ms: int
    governed: bool | None = None
    """Whether the database is the one on record where our workflow decides; None where nothing else was tried."""
    against: tuple[str, ...] = ()
    """Why it cannot be: gold actions against the rules that they are to follow."""

    @property
    def passed(self) -> bool:
        as_on_record = self.observations == self.actions and self.same_database
        return as_on_record and not self.denied and (self.governed is not False or bool(self.against))

    def as_json(self) -> JsonObject:
        said: JsonObject = {**asdict(self), "passed": self.passed}
        return said


async def replay(engine: Engine, shop: RecordData, task: Task) -> Replayed:
    """Play one task in a world of its own. The customer confirms what they asked for, a reviewer approves the rest."""
    thread_id = str(uuid.uuid4())
    with of_tenant(f"evals-{thread_id}"):
        return await _replay(engine, shop, task, thread_id)


async def _replay(engine: Engine, shop: RecordData, task: Task, thread_id: str) -> Replayed:
    began, tenant = time.perf_counter(), f"evals-{thread_id}"
    worlds, wake_ups = open_worlds(shop=shop), InlineDispatcher()
    systems = systems_of(worlds)
    models = replace(engine.carrier.models, routes={}, recordings=GoldModel(task), stand_ins=False)
    carrier = replace(engine.carrier, dispatcher=wake_ups, systems=systems, models=models, opened_on=read_seed().today)
    answers = replace(engine.answers, dispatcher=wake_ups)
    try:
        async with engine.database.transaction() as conn:
            await create_thread(conn, NewThread(thread_id, tenant))
        run = NewRun(thread_id, tenant, _WORKFLOW, _CUSTOMER, {"message": task.words})
        await replace(engine.intake, dispatcher=wake_ups).accept(run)
        await wake_ups.drain(carrier)
        for _ in range(_MOST_ANSWERS):
            waiting = await _open_item(engine, thread_id)
            if waiting is None:
                break
            value, who = _answer(waiting, tenant)
            await answers.resume(thread_id, {str(waiting.interrupt_id): value}, who)
            await wake_ups.drain(carrier)
        return await _judge(engine, task, thread_id, digest_of(records_of(worlds.store)), began)
    finally:
        await systems.close()
        worlds.close()


async def _open_item(engine: Engine, thread_id: str) -> ApprovalRequest | Question | None:
    async with engine.database.reading() as conn:
        requests = await asked_of_thread(conn, thread_id)
        questions = await questions_of_thread(conn, thread_id)
    waiting: list[ApprovalRequest | Question] = [one for one in requests if one.status == "pending"]
    waiting += [one for one in questions if one.status == "open"]
    return waiting[0] if waiting else None


def _answer(waiting: ApprovalRequest | Question, tenant: str) -> tuple[JsonObject, Principal]:
    """The gold model asks nothing but to confirm, and it proposes only what the customer wants."""
    if isinstance(waiting, Question):
        return {"text": "yes"}, Principal(_CUSTOMER, frozenset({"caller"}), frozenset(), tenant)
    held = frozenset(waiting.quorum.roles)
    return {"type": "approve"}, Principal(_REVIEWER, frozenset({"reviewer"}), held, tenant)


async def _judge(engine: Engine, task: Task, thread_id: str, digest: str, began: float) -> Replayed:
    tenant = f"evals-{thread_id}"
    async with engine.database.reading() as conn:
        thread = await get_thread(conn, thread_id, tenant=tenant)
        last = (await list_runs(conn, thread_id, tenant=tenant, limit=1))[0]
        asked = await asked_of_thread(conn, thread_id)
    snapshot = await engine.states.latest(thread)
    state: Said = dict(snapshot.values) if snapshot else {}
    heard = [json.loads(entry["says"]) for entry in state.get("conversation", ()) if entry["who"] == "tool"]
    made = [one for one in heard if one["tool"] in _WRITES]
    same = _same(task, made)
    denied = [
        (action.fails, one["result"]["error"]["message"])
        for action, one in zip(task.actions, made, strict=False)
        if "error" in one["result"]
    ]
    return Replayed(
        task=task.number,
        outcome=last.outcome or last.status,
        actions=len(task.actions),
        observations=sum(same),
        same_database=digest == task.final_digest,
        denied=tuple(said for fails, said in denied if not fails),
        refused=tuple(said for fails, said in denied if fails),
        approvals=len(asked),
        rules=tuple(request.rule for request in asked),
        problems=() if last.outcome == "completed" else (str(last.error or state.get("summary")),),
        ms=round((time.perf_counter() - began) * 1000),
    )


def _same(task: Task, made: Sequence[Said]) -> list[bool]:
    """Of each gold action, whether what came of it is what is on record: an order, or that it could not be done."""
    return [
        _is_as_recorded(action, one["result"])
        for action, one in zip(task.actions, made, strict=False)
        if one["tool"] == action.tool
    ]


def _is_as_recorded(action: Action, result: Said) -> bool:
    """The only errors on record are gift cards without enough on them; policy denies these before the shop does."""
    if "error" in result:
        return action.fails and "gift card" in action.observation and NOT_COVERED in result["error"]["message"]
    return not action.fails and as_recorded(result) == in_cents(action.observation)
