"""`gatehouse eval faults` and `gatehouse eval ugly`: what becomes of a case when something or somebody goes wrong."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, get_args

import typer
from rich.markup import escape
from rich.table import Table

from contracts.errors import ConfigurationError
from engine.wiring import Engine
from evals import report
from evals.case import Kind
from evals.failure_paths import Gone, go, on_paths
from evals.fault_matrix import rows_of
from evals.fault_results import accept_faults, file_of
from evals.faulting import Borne, bear, cells_of, ways_of
from evals.fitting import require_fitting
from evals.gate import FAILED, PASSED, Selection, exit_code, select
from evals.offline import offline
from evals.opening import dsn_of, open_for_evals
from evals.progress import CaseProgress
from evals.running import Asked, Ran, run_selected
from evals.speaking import AsJson, CaseNames, Workflows, aside, errors_shown, evals_folder, page

UGLY = tuple(kind for kind in get_args(Kind) if kind.startswith("ugly_"))

Stages = Annotated[list[str] | None, typer.Option("--stage", help="Only this stage; may be repeated.")]


def faults_command(
    workflows: Workflows = None,
    case: CaseNames = None,
    stage: Stages = None,
    as_json: AsJson = False,
    accepting: Annotated[bool, typer.Option("--accept", help="Keep it for launch-check, where all is borne.")] = False,
) -> None:
    """Break each model and each tool at every stage that asks it, in each way. Exit code 1 where that is not borne.

    Borne is what ends as cases may end or waits for a person, without a crash and without an effect nobody expects.
    Cases of the four failure paths are played, too, unless --case or --stage narrow it.
    """
    whole = not (case or stage)
    with errors_shown():
        if accepting and not whole:
            raise ConfigurationError("What is accepted is all of a workflow.", hint="Leave out --case and --stage.")
        selections = select(evals_folder(), workflows or (), case or (), None)
        bore = asyncio.run(_bear_all(selections, stage or (), whole=whole, accepting=accepting))
    if as_json:
        told = {"cells": [one.as_json() for one in bore.cells], "paths": [one.as_json() for one in bore.paths]}
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        _show(bore.cells)
        _show_paths(bore.paths)
    for where in dict.fromkeys(bore.connections):
        aside().print(f"Something asked for {where}, and did not get it.", style="red", markup=False)
    raise typer.Exit(FAILED if bore.connections or bore.problems else PASSED)


def ugly_command(workflows: Workflows = None, as_json: AsJson = False) -> None:
    """Run what people send who are vague, angry, contradict themselves, leave things out or go to the edge.

    Exit codes as `run`; 1 where a workflow has no case of one of these kinds.
    """
    with errors_shown():
        every = select(evals_folder(), workflows or (), (), None)
        ugly = [_only_ugly(selection) for selection in every]
        ran = asyncio.run(run_selected(evals_folder(), ugly, Asked(), aside()))
    missing = [f"{s.workflow}: {kind}" for s in ugly for kind in UGLY if kind not in {c.case.kind for c in s.cases}]
    if as_json:
        typer.echo(json.dumps(report.as_json(ran) | {"missing": [*missing]}, indent=1, ensure_ascii=False))
    else:
        _show_ugly(ugly, ran, missing)
    raise typer.Exit(FAILED if missing or ran.connections else exit_code(ran.results, ran.flips))


@dataclass(frozen=True)
class _Bore:
    """What all of it came to."""

    cells: Sequence[Borne]
    paths: Sequence[Gone]
    connections: Sequence[str]

    @property
    def problems(self) -> bool:
        return any(one.problems for one in self.cells) or any(one.problems for one in self.paths)


async def _bear_all(selections: Sequence[Selection], stages: Sequence[str], *, whole: bool, accepting: bool) -> _Bore:
    async with open_for_evals() as engine:
        for selection in selections:
            require_fitting(engine.catalog[selection.workflow], selection.cases)
        with offline(dsn_of(engine)) as watch:
            cells = [
                cell
                for selection in selections
                for cell in cells_of(engine.catalog[selection.workflow], await ways_of(engine, selection.cases))
                if not stages or cell.stage in stages
            ]
            folders = [folder for selection in selections for folder in selection.cases] if whole else []
            with CaseProgress(aside(), len(cells) + len(on_paths(folders))) as progress:
                done = await bear(engine, cells, on_done=progress.advance)
                bore = _Bore(done, await go(engine, folders, progress.advance), watch.tried)
        if accepting:
            _accept(engine, selections, bore)
        return bore


def _accept(engine: Engine, selections: Sequence[Selection], bore: _Bore) -> None:
    if bore.problems or bore.connections:
        aside().print("Nothing was accepted: only what is borne is.", style="red")
        return
    for selection in selections:
        own = [one for one in bore.cells if one.cell.workflow == selection.workflow]
        file = file_of(evals_folder(), selection.workflow)
        accept_faults(file, engine.catalog[selection.workflow], selection.cases, own)


def _only_ugly(selection: Selection) -> Selection:
    chosen = tuple(folder for folder in selection.cases if folder.case.kind in UGLY)
    return replace(selection, cases=chosen, whole=False)


def _show(done: Sequence[Borne]) -> None:
    """A row for each stage and what it asks; a column for each fault."""
    for workflow, of, kinds, rows in rows_of([one.as_json() for one in done]):
        table = Table(box=None, pad_edge=False, header_style="bold", title=f"{workflow}: {of}s", title_justify="left")
        for name in ("stage", of, *kinds):
            table.add_column(name, overflow="fold")
        for row in rows:
            cells = [f"[{'green' if cell.borne else 'red'}]{escape(cell.says)}[/]" for cell in row.cells]
            table.add_row(escape(row.stage), escape(row.name), *cells)
        page().print(table)
    for one in done:
        for problem in one.problems:
            where = f"{one.cell.workflow} {one.cell.stage} {one.cell.name} {one.cell.kind}"
            page().print(f"{where}: {problem}", style="red", markup=False, highlight=False)
    borne = sum(not one.problems for one in done)
    page().print(f"\n{len(done)} faults at stages, {borne} borne", highlight=False)


def _show_paths(paths: Sequence[Gone]) -> None:
    if not paths:
        return
    table = Table("workflow", "failure path", "cases", "outcomes", box=None, pad_edge=False, header_style="bold")
    for one in paths:
        said = f"[red]{escape('; '.join(one.problems))}[/]" if one.problems else ", ".join(one.outcomes)
        table.add_row(one.workflow, one.path, str(one.cases), said)
    page().print(table)


def _show_ugly(selections: Sequence[Selection], ran: Ran, missing: Sequence[str]) -> None:
    kinds = {(s.workflow, folder.name): folder.case.kind for s in selections for folder in s.cases}
    outcomes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in ran.results:
        outcomes[result.workflow, kinds[result.workflow, result.case]].append(result.observation.outcome)
    table = Table("workflow", "kind", "outcomes", box=None, pad_edge=False, header_style="bold")
    for (workflow, kind), found in sorted(outcomes.items()):
        table.add_row(workflow, kind.removeprefix("ugly_"), ", ".join(sorted(found)))
    page().print(table)
    report.show_failures(page(), ran.results)
    for name in missing:
        page().print(f"[red]missing[/] {name} has no case", highlight=False)
    passed = sum(result.status == "passed" for result in ran.results)
    page().print(f"\n{len(ran.results)} ugly cases, {passed} passed", highlight=False)
