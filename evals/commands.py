"""The command line of evals, mounted as `gatehouse eval`."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from contracts.errors import GatehouseError
from engine.opening import find_registry
from engine.settings import read_settings
from evals import report
from evals.attacks.commands import attacks_command
from evals.baseline import Flip
from evals.case_files import CaseFolder
from evals.gate import FAILED, PASSED, USAGE, Selection, accept, exit_code, flips_against_baseline, select
from evals.opening import open_for_evals
from evals.progress import CaseProgress
from evals.rekey import Rekeyed, rekey
from evals.run import Result, run_cases
from evals.tau_bench.commands import tau_bench

_WIDTH = 150
"""Columns of a page that goes to no terminal."""

app = typer.Typer(help="Run recorded cases through the real engine, offline.", no_args_is_help=True)

app.command("attacks")(attacks_command)
app.command("tau-bench")(tau_bench)

Workflows = Annotated[list[str] | None, typer.Argument(help="Workflows; by default all that have cases.")]
CaseNames = Annotated[list[str] | None, typer.Option("--case", help="Only this case; may be repeated.")]


@app.command("run")
def run_command(
    workflows: Workflows = None,
    case: CaseNames = None,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON on standard output.")] = False,
    accepting: Annotated[bool, typer.Option("--accept", help="Make what the cases do now the baseline.")] = False,
    baseline: Annotated[Path | None, typer.Option(help="Another baseline file, for one workflow.")] = None,
    keep_going: Annotated[bool, typer.Option("--keep-going/--fail-fast", help="Go on after a failed case.")] = True,
) -> None:
    """Run cases. Exit codes: 0 passed, 1 failed or unlike the baseline, 2 usage, 4 stale recordings."""
    began = time.perf_counter()
    with _errors_shown():
        selections = _select(workflows, case, baseline)
        results = asyncio.run(_run_all(selections, keep_going))
        if accepting:
            _accept(selections, results)
        flips = _flips(selections, results)
    if as_json:
        typer.echo(json.dumps(report.as_json(results, flips), indent=1, ensure_ascii=False))
    else:
        _show(results, flips, time.perf_counter() - began)
    raise typer.Exit(exit_code(results, flips))


@app.command("rekey")
def rekey_command(workflows: Workflows = None, case: CaseNames = None) -> None:
    """Give written replies the keys that today's prompts and schemas ask for, in the order in which they stand.

    Do this when a prompt has changed and you have read the replies, and they still hold.
    """
    with _errors_shown():
        folders = [folder for selection in _select(workflows, case, None) for folder in selection.cases]
        done = asyncio.run(_rekey_all(folders))
    page = _page()
    for one in done:
        for problem in one.problems:
            page.print(f"{one.case}: {problem}", style="red", markup=False, highlight=False)
    changed, failed = sum(bool(one.changed) for one in done), sum(bool(one.problems) for one in done)
    page.print(f"{len(done)} cases: new keys in {changed}, {failed} left as they were because of problems")
    raise typer.Exit(FAILED if failed else PASSED)


async def _run_all(selections: Sequence[Selection], keep_going: bool) -> list[Result]:
    folders = [folder for selection in selections for folder in selection.cases]
    async with open_for_evals() as engine:
        with CaseProgress(_aside(), len(folders)) as progress:
            return await run_cases(engine, folders, on_done=progress.advance, keep_going=keep_going)


async def _rekey_all(folders: Sequence[CaseFolder]) -> list[Rekeyed]:
    async with open_for_evals() as engine:
        return [await rekey(engine, folder) for folder in folders]


def _select(workflows: list[str] | None, case: list[str] | None, baseline: Path | None) -> list[Selection]:
    """Cases lie beside the registry of workflows, so that a project of its own has cases of its own."""
    evals = find_registry(read_settings()).resolve().parent / "evals"
    return select(evals, workflows or (), case or (), baseline)


def _accept(selections: Sequence[Selection], results: Sequence[Result]) -> None:
    if not all(result.status == "passed" for result in results):
        _aside().print("Nothing was accepted: a baseline holds only what passes.", style="red")
        return
    for selection in selections:
        accept(selection, results)


def _flips(selections: Sequence[Selection], results: Sequence[Result]) -> list[Flip]:
    flips: list[Flip] = []
    for selection in selections:
        found = flips_against_baseline(selection, results)
        if found is None:
            _aside().print(f"{selection.workflow} has no baseline yet; --accept makes one.", style="yellow")
        flips += found or []
    return flips


def _show(results: Sequence[Result], flips: Sequence[Flip], seconds: float) -> None:
    page = _page()
    report.show_table(page, results)
    report.show_failures(page, results)
    report.show_stale(page, results)
    report.show_flips(page, flips)
    report.show_summary(page, results, flips, seconds)


def _page() -> Console:
    page = Console()
    return page if page.is_terminal else Console(width=_WIDTH)


def _aside() -> Console:
    """Where progress and notes go, so that standard output holds results alone."""
    return Console(stderr=True)


@contextmanager
def _errors_shown() -> Iterator[None]:
    try:
        yield
    except GatehouseError as error:
        said = f"{error.detail}\n{error.hint}".strip()
        _aside().print(said, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(USAGE) from error
