"""Makes cases of recorded runs: each is played through our graph once, and what was said and done is written down."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from engine.models.recording import write_recordings
from engine.store.scope import nobody
from engine.wiring import Engine
from evals.case import Case
from evals.case_files import CALLS, CASE
from evals.opening import open_for_evals
from evals.tau_bench.airline import AirlineTask, read_airline_tasks
from evals.tau_bench.guarded import WORKFLOW, Guarded, before_it_is_played, case_of, with_guards
from evals.tau_bench.processes import Hear
from evals.tau_bench.recorded_runs import RecordedRun
from evals.tau_bench.rewards import Unguarded, Worth, without_guards, worth_of
from evals.tau_bench.said_again import SaidAgain, say_again
from evals.tau_bench.script_of_run import Script
from evals.worlds.airline_data import KINDS, airline_in

People = Literal["agree", "know"]
"""`agree`: the customer confirms and reviewers approve all they are shown; `know`: only what the customer came for."""
AIRLINE = "airline"
_FROM_A_CASE = f"../../../{AIRLINE}"


@dataclass(frozen=True)
class Wanted:
    """What an import is asked for."""

    source: Path
    into: Path | None
    """Where cases are written; None: nowhere."""
    people: People


@dataclass(frozen=True)
class Imported:
    """One run: as it was recorded, without our guards, and with them."""

    name: str
    task: int
    trial: int
    recorded: float
    unguarded: Worth
    guarded: Worth
    replies: SaidAgain
    calls: int
    differing: tuple[str, ...]
    """Calls without guards whose reply is not the one on record."""
    outcome: str
    gates: tuple[str, ...]
    changes: tuple[JsonObject, ...]
    repairs: Mapping[str, int]
    early: str
    """Why the workflow ended it before the model on record did; empty where it did not."""
    problems: tuple[str, ...]
    """What no run may do: off its script, an effect without its approval, an outcome that is none."""
    ms: int

    def as_json(self) -> dict[str, Any]:
        said = asdict(self)
        rewards = {"unguarded_reward": self.unguarded.reward, "guarded_reward": self.guarded.reward}
        return said | rewards


def require_whole(source: Path, runs: Sequence[RecordedRun]) -> None:
    """Raises `ConfigurationError` for a folder that lacks tasks or database, or the task of a run."""
    airline_in(source)
    known = {task.number for task in read_airline_tasks(source)}
    if missing := sorted({run.task for run in runs} - known):
        raise ConfigurationError(
            f"There are recorded runs of task {missing[0]}, which tasks.jsonl in {source.name!r} does not have.",
            hint="Runs and tasks must be of the same version of the benchmark.",
        )


def copy_airline(wanted: Wanted) -> None:
    """Put the airline's database beside the cases, once for all of them."""
    if wanted.into is not None:
        target = wanted.into / AIRLINE
        target.mkdir(parents=True, exist_ok=True)
        for kind in KINDS:
            shutil.copyfile(wanted.source / f"{kind}.json", target / f"{kind}.json")


async def import_runs(wanted: Wanted, runs: Sequence[RecordedRun], hear: Hear) -> None:
    """Import these runs one after the other on an engine of their own, and say what became of each."""
    tasks = {task.number: task for task in read_airline_tasks(wanted.source)}
    async with open_for_evals() as engine:
        for run in runs:
            hear((await import_run(engine, wanted, tasks[run.task], run)).as_json())


async def import_run(engine: Engine, wanted: Wanted, task: AirlineTask, run: RecordedRun) -> Imported:
    """Play one run with and without guards; write its case where one is wanted."""
    began = time.perf_counter()
    free = await without_guards(airline_in(wanted.source), task, run)
    script = script_of(run, task, wanted.people)
    with nobody():
        held = await with_guards(engine, before_it_is_played(script, run.name, wanted.source), script)
    worth = worth_of(task, held.digest, held.spoken, ended=run.ended)
    if wanted.into is not None:
        write_case(wanted.into, run, script, held)
    done = _imported(run, free, held, worth)
    return replace(done, ms=round((time.perf_counter() - began) * 1000))


def script_of(run: RecordedRun, task: AirlineTask, people: People) -> Script:
    came_for = task.actions if people == "know" else None
    return Script(run.opening, run.steps, task.customer_id, run.model, ended=run.ended, came_for=came_for)


def _imported(run: RecordedRun, free: Unguarded, held: Guarded, worth: Worth) -> Imported:
    return Imported(
        name=run.name,
        task=run.task,
        trial=run.trial,
        recorded=run.reward,
        unguarded=free.worth,
        guarded=worth,
        replies=say_again(run),
        calls=free.calls,
        differing=free.differing,
        outcome=held.seen.outcome,
        gates=held.seen.gates,
        changes=tuple(asdict(change) | {"stopped": change.stopped} for change in held.changes),
        repairs=held.repairs,
        early=f"{held.steps_left} steps were not asked for: {held.why}" if held.steps_left else "",
        problems=(*held.seen.off_script, *held.seen.breaches, *_unended(held)),
        ms=0,
    )


def _unended(held: Guarded) -> list[str]:
    if held.seen.outcome not in ("completed", "handed_off", "expired"):
        return [f"it ended as {held.seen.outcome!r}: {held.why}"]
    return []


def write_case(into: Path, run: RecordedRun, script: Script, held: Guarded) -> Path:
    """The folder of the case. It expects what was seen now, so that a later change of behaviour shows."""
    folder = into / "cases" / WORKFLOW / run.name
    folder.mkdir(parents=True, exist_ok=True)
    title = f"Task {run.task}, trial {run.trial}: worth {run.reward:g} on record"
    case = case_of(script, title, _FROM_A_CASE) | {
        "kind": _kind(held),
        "answers": [answer.model_dump(mode="json", exclude_defaults=True) for answer in held.answers],
        "expect": _expected(held),
    }
    Case.model_validate(case)
    text = yaml.safe_dump(case, sort_keys=False, allow_unicode=True, width=110)
    (folder / CASE).write_text(text, encoding="utf-8")
    write_recordings(folder / CALLS, held.recordings)
    return folder


def _kind(held: Guarded) -> str:
    if held.seen.outcome == "handed_off":
        return "handed_off"
    if any(change.stopped for change in held.changes):
        return "denied"
    if held.seen.gates:
        return "gated_approved"
    return "clarified" if held.answers else "automatic"


def _expected(held: Guarded) -> JsonObject:
    seen = held.seen
    problem: JsonObject = {"problem": dict(seen.problem)} if seen.problem else {}
    return problem | {
        "outcome": seen.outcome,
        "stages": {"mode": "exact", "path": list(seen.path)},
        "gates": list(seen.gates),
        "effects": {kind: [_telling(effect) for effect in done] for kind, done in seen.done.items()},
        "limits": {"model_calls": seen.model_calls, "tool_calls": seen.tool_calls},
    }


def _telling(effect: JsonObject) -> JsonObject:
    return {name: value for name, value in effect.items() if not isinstance(value, dict | list)}
