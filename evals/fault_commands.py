"""`gatehouse eval faults` and `gatehouse eval ugly`: what becomes of a case when something or somebody goes wrong."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, get_args

import typer
from rich.markup import escape
from rich.table import Table

from evals import report
from evals.case import Kind
from evals.fault_matrix import rows_of
from evals.faulting import Borne, bear, cells_of, ways_of
from evals.gate import FAILED, PASSED, Selection, exit_code, select
from evals.offline import offline
from evals.opening import dsn_of, open_for_evals
from evals.progress import CaseProgress
from evals.running import Asked, Ran, run_selected
from evals.speaking import AsJson, CaseNames, Workflows, aside, errors_shown, evals_folder, page

UGLY = tuple(kind for kind in get_args(Kind) if kind.startswith("ugly_"))

Stages = Annotated[list[str] | None, typer.Option("--stage", help="Only this stage; may be repeated.")]


def faults_command(
    workflows: Workflows = None, case: CaseNames = None, stage: Stages = None, as_json: AsJson = False
) -> None:
    """Break each model and each tool at every stage that asks it, in each way. Exit code 1 where that is not borne.

    Borne is what ends as cases may end or waits for a person, without a crash and without an effect nobody expects.
    """
    with errors_shown():
        selections = select(evals_folder(), workflows or (), case or (), None)
        done, connections = asyncio.run(_bear_all(selections, stage or ()))
    if as_json:
        typer.echo(json.dumps({"cells": [one.as_json() for one in done]}, indent=1, ensure_ascii=False))
    else:
        _show(done)
    for where in dict.fromkeys(connections):
        aside().print(f"Something asked for {where}, and did not get it.", style="red", markup=False)
    raise typer.Exit(FAILED if connections or any(one.problems for one in done) else PASSED)


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


async def _bear_all(selections: Sequence[Selection], stages: Sequence[str]) -> tuple[list[Borne], list[str]]:
    async with open_for_evals() as engine:
        with offline(dsn_of(engine)) as watch:
            cells = [
                cell
                for selection in selections
                for cell in cells_of(engine.catalog[selection.workflow], await ways_of(engine, selection.cases))
                if not stages or cell.stage in stages
            ]
            with CaseProgress(aside(), len(cells)) as progress:
                return await bear(engine, cells, on_done=progress.advance), watch.tried


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
