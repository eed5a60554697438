"""`gatehouse eval import`: makes cases of conversations that were recorded elsewhere."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from evals.progress import CaseProgress
from evals.speaking import AsJson, aside, errors_shown
from evals.tau_bench.import_report import Came, import_report
from evals.tau_bench.importing import People, Wanted, copy_airline, import_runs, require_whole
from evals.tau_bench.processes import in_processes
from evals.tau_bench.recorded_runs import read_runs

PASSED, FAILED = 0, 1

importing = typer.Typer(help="Make cases of conversations that were recorded elsewhere.", no_args_is_help=True)


@dataclass(frozen=True)
class _Heard:
    status: str


@importing.callback()
def _import() -> None:
    """Make cases of conversations that were recorded elsewhere."""


@importing.command("tau-bench")
def import_tau_bench(
    path: Annotated[Path, typer.Argument(help="Folder with the airline's runs-*.jsonl, tasks.jsonl and database.")],
    into: Annotated[Path | None, typer.Option(help="Write the cases here; run them with eval run --cases.")] = None,
    people: Annotated[
        People, typer.Option(help="Who confirms and approves: everything, or what was come for.")
    ] = "agree",
    every: Annotated[int, typer.Option(min=1, help="Only every so-manieth run.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Processes, each with an engine of its own.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Play τ-bench's recorded airline runs through the workflow `booking`, and say what its guards stop.

    Exit codes: 0 every reply and reward is as on record and no right run was broken, 1 anything else, 2 usage.
    """
    began = time.perf_counter()
    with errors_shown():
        runs, wanted = read_runs(path)[::every], Wanted(path, into, people)
        require_whole(path, runs)
        copy_airline(wanted)
    came: list[Came] = []
    with CaseProgress(aside(), len(runs)) as progress:
        for one in in_processes(import_runs, wanted, runs, jobs):
            came.append(one)
            progress.advance(_Heard("failed" if one["problems"] else "passed"))
    report = import_report(came, seconds=time.perf_counter() - began)
    typer.echo(json.dumps(report.as_json() | {"by_run": came}, indent=1) if as_json else report.page())
    raise typer.Exit(PASSED if report.passed else FAILED)
