"""Which way a case took through its graph, and what decided it: from the audit trail, the trace and the checkpoints."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from contracts.errors import NotFound
from engine.catalog.catalog import Catalog
from engine.catalog.workflow import Workflow, edges_of
from engine.operations.cases import records_of
from engine.operations.differences import differences
from engine.operations.traced import visits_of
from engine.reasoning.calls import add_calls
from engine.reasoning.pages import entries_of
from engine.runs.report import legs_of_case, run_facts
from engine.runs.threads import get_thread
from engine.store.database import Database
from engine.worker.state import StateReader

Json = dict[str, Any]

_SNAPSHOTS = 1000
_KEPT: dict[str, tuple[str, ...]] = {
    "model.called": ("prompt", "model", "source", "reply", "problem", "context", "max_context"),
    "call.finished": ("tool", "state", "result", "error"),
    "call.refused": ("tool", "code", "detail"),
    "action.frozen": ("tool", "verdict", "rule", "why", "facts", "policy_version"),
    "approval.decided": ("type", "by", "reason"),
    "question.answered": ("answer", "by"),
    "call.resolved": ("tool", "outcome", "by", "note"),
}
"""What a stage had before it when it ended, by kind of record, and the members that decide."""
_ENDS = ("run.parked", "run.finished", "run.failed", "run.cancelled")


async def explain_way(database: Database, states: StateReader | None, run_id: str, *, tenant: str) -> Json:
    """The stages of the run's case in order, each with what it knew, wrote and traced, and where it led.

    Without `states`, or where a checkpoint was pruned, what a stage wrote is left out. Raises `NotFound`.
    """
    async with database.transaction() as conn:
        run = await run_facts(conn, run_id, tenant=tenant)
        records = await records_of(conn, run)
        legs = {str(leg["run_id"]) for leg in await legs_of_case(conn, str(run["case_id"]))}
        thread = await get_thread(conn, str(run["thread_id"]), tenant=tenant)
        entries = await entries_of(conn, str(run["thread_id"]), str(run["case_id"]))
    workflow = _workflow(states.catalog if states else None, run["workflow"])
    way = _way(records, workflow)
    if states and workflow:
        snapshots = [snapshot async for snapshot in states.history(thread, limit=_SNAPSHOTS)]
        _add_writes(way, list(reversed(snapshots)))
    stages = [each for each in way if each["run_id"] in legs]
    visits = visits_of(add_calls(entries, records))
    for each in stages:
        each["traced"] = visits.take(each["stage"], ended=each["at"] is not None)
    return {"run": run, "stages": stages}


def only_stage(way: Json, stage: str) -> Json:
    """The same with this stage alone. Raises `NotFound` naming the stages there are."""
    found = [each for each in way["stages"] if each["stage"] == stage]
    if not found:
        names = ", ".join(dict.fromkeys(each["stage"] for each in way["stages"] if each["stage"]))
        raise NotFound(f"The case has not been at a stage {stage!r}.", hint=f"It has been at: {names}.")
    return {**way, "stages": found}


def _workflow(catalog: Catalog | None, name: str) -> Workflow | None:
    return catalog[name] if catalog is not None and name in list(catalog) else None


class _Gathering:
    """Records that belong to a stage that has not ended yet."""

    def __init__(self, workflow: Workflow | None) -> None:
        self._by_prompt = {s.prompt: s.name for s in workflow.stages.values() if s.prompt} if workflow else {}
        self._stage_of_call: dict[str, str] = {}
        self._known: dict[str, list[Json]] = defaultdict(list)

    def take(self, record: Json) -> None:
        event, data = record["event"], record["data"]
        if event == "call.started":
            self._stage_of_call[data["call_key"]] = data["stage"]
        elif event in _KEPT:
            prompt = self._by_prompt.get(data.get("prompt", ""), "")
            stage = data.get("stage") or self._stage_of_call.get(data.get("call_key", "")) or prompt
            kept = {name: data[name] for name in _KEPT[event] if data.get(name) not in (None, "")}
            self._known[stage].append({"event": event, "at": record["at"], **kept})

    def give(self, stage: str) -> list[Json]:
        """What is known for `stage`, and what names no stage: that was recorded while it was at work."""
        return sorted([*self._known.pop("", []), *self._known.pop(stage, [])], key=lambda found: str(found["at"]))

    def rest(self) -> Iterable[tuple[str, list[Json]]]:
        return self._known.items()


def _way(records: list[Json], workflow: Workflow | None) -> list[Json]:
    gathering, way = _Gathering(workflow), []
    could = edges_of(workflow) if workflow else defaultdict[str, list[str]](list)
    for record in records:
        if record["event"] == "stage.finished":
            stage = record["data"]["stage"]
            way.append(_entry(stage, record, knew=gathering.give(stage), could=could[stage]))
        elif record["event"] in _ENDS:
            _end(way, record)
        else:
            gathering.take(record)
    for before, after in pairwise(way):
        before["then"] = before["then"] or [after["stage"]]
    way += [_entry(stage, records[-1], knew=known) for stage, known in gathering.rest()]
    return way


def _entry(stage: str, record: Json, *, knew: list[Json], could: Sequence[str] = ()) -> Json:
    """One time at a stage; `at` is null for one that has not ended, `stage` is empty for what came behind the last."""
    ended = record["event"] == "stage.finished"
    stands = {"stage": stage, "kind": record["data"].get("kind", "") if ended else "", "run_id": record["run_id"]}
    at = record["at"] if ended else None
    return {**stands, "at": at, "knew": knew, "wrote": None, "then": [], "could": list(could)}


def _end(way: list[Json], record: Json) -> None:
    """The last stage led to the end of its run, unless the run only waited and its stage came again."""
    if way and record["event"] != "run.parked" and record["run_id"] == way[-1]["run_id"]:
        data = record["data"]
        way[-1]["then"] = [str(data.get("outcome") or data.get("status") or "cancelled")]


def _add_writes(way: list[Json], snapshots: list[StateSnapshot]) -> None:
    """What the state gained from one checkpoint to the next was written by the stages that stood between them."""
    by_id = {_id(snapshot.config): snapshot for snapshot in snapshots}
    steps: dict[tuple[str, str], list[tuple[Json, list[str]]]] = defaultdict(list)
    for after in snapshots:
        before, said = by_id.get(_id(after.parent_config)), after.metadata or {}
        if before is None or said.get("source") != "loop":
            continue  # written from outside, or a repetition of the one at which a fork begins: no stage made it
        for stage in before.next:
            steps[str(said.get("run_id")), stage].append((_changed(before.values, after.values), list(after.next)))
    times = Counter((each["run_id"], each["stage"]) for each in way if each["at"])
    # Where checkpoints were pruned, nobody can say which of them belongs to which time at the stage.
    whole = {place for place, found in steps.items() if len(found) == times[place]}
    for each in way:
        place = (each["run_id"], each["stage"])
        if each["at"] and place in whole:
            each["wrote"], then = steps[place].pop(0)
            each["then"] = then or each["then"]


def _id(config: RunnableConfig | None) -> str:
    return str(config["configurable"].get("checkpoint_id")) if config else ""


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    return {change["path"]: change["after"] for change in differences(before, after)}
