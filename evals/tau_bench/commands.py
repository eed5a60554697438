"""`gatehouse eval tau-bench`: replays recorded tasks of others through our own workflow."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from evals.opening import open_for_evals
from evals.tau_bench.airline import AirlineTask, read_airline_tasks, replay_airline
from evals.tau_bench.gold import through_the_workflow
from evals.tau_bench.processes import Hear, Work, in_processes
from evals.tau_bench.replay import replay
from evals.tau_bench.report import report_of
from evals.tau_bench.tasks import Task, read_tasks
from evals.worlds.airline_data import read_airline
from evals.worlds.retail_data import read_shop

FAILED = 1
_TENTHS = 10

Domain = Literal["retail", "airline"]
Done = dict[int, dict[str, Any]]


def tau_bench(
    domain: Annotated[Domain, typer.Argument(help="Which of its domains.")],
    path: Annotated[Path, typer.Argument(help="Folder with tasks.jsonl and the database as JSON.")],
    every: Annotated[int, typer.Option(min=1, help="Only every so-manieth task.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Processes, each with an engine of its own.")] = 2,
    results: Annotated[Path | None, typer.Option(help="Keep results here, and skip what is there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on standard output.")] = False,
) -> None:
    """Replay each task's gold actions through our workflows; those of the airline by our tools alone as well.

    What came of each is held against what is on record, and the whole database at the end. Exit code 1 if any differs.
    """
    tasks, began = _READERS[domain](path)[::every], time.perf_counter()
    done = _kept(results)
    missing = [task for task in tasks if task.number not in done]
    for one in in_processes(_PLAYERS[domain], path, missing, jobs):
        done[one["task"]] = one
        _keep(results, one)
        _say_progress(sum(task.number in done for task in tasks), len(tasks))
    report = report_of([done[task.number] for task in tasks], seconds=time.perf_counter() - began)
    typer.echo(json.dumps(report.as_json(), indent=1) if as_json else report.page())
    raise typer.Exit(0 if report.passed else FAILED)


def _kept(results: Path | None) -> Done:
    if results is None or not results.exists():
        return {}
    lines = (json.loads(line) for line in results.read_text().splitlines())
    return {one["task"]: one for one in lines}


def _keep(results: Path | None, one: dict[str, Any]) -> None:
    if results is not None:
        with results.open("a") as file:
            file.write(json.dumps(one) + "\n")


def _say_progress(finished: int, total: int) -> None:
    if finished * _TENTHS // total > (finished - 1) * _TENTHS // total:
        typer.echo(f"{finished} of {total} tasks", err=True)


async def play(path: Path, tasks: Sequence[Task], hear: Hear) -> None:
    """Play these tasks of a folder one after the other on an engine of their own, and say what became of each."""
    shop = read_shop(path)
    async with open_for_evals() as engine:
        for task in tasks:
            hear((await replay(engine, shop, task)).as_json())


async def play_airline(path: Path, tasks: Sequence[AirlineTask], hear: Hear) -> None:
    """Make the actions of these tasks by our tools, then through our workflow, and say what became of each."""
    airline = read_airline(path)
    async with open_for_evals() as engine:
        for task in tasks:
            by_tools = await replay_airline(airline, task)
            hear((await through_the_workflow(engine, path, task, by_tools)).as_json())


_READERS: dict[Domain, Callable[[Path], Sequence[Any]]] = {"retail": read_tasks, "airline": read_airline_tasks}
_PLAYERS: dict[Domain, Work] = {"retail": play, "airline": play_airline}
