"""`gatehouse eval canary`: play a dataset with a live model and alarm when it does worse than it did."""

import asyncio
import json
from collections.abc import Sequence
from itertools import product
from typing import Annotated

import typer
from rich.console import Console

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from engine.limits.alarms import Alarm, sound
from engine.models.routing import Alias
from engine.opening import open_database
from engine.settings import read_settings
from engine.store.scope import of_tenant
from evals.case_files import CaseFolder
from evals.datasets import read_dataset
from evals.drift import Accepted, Drift, drift, observed, read_accepted, write_accepted
from evals.gate import FAILED, INCONCLUSIVE, PASSED
from evals.live import pinned, play_live
from evals.opening import open_for_evals
from evals.progress import CaseProgress
from evals.speaking import AsJson, aside, errors_shown, evals_folder, page

_EXIT = {"worse": FAILED, "no worse": PASSED, "inconclusive": INCONCLUSIVE}


def canary_command(
    alias: Annotated[str, typer.Option("--live", help="The alias whose first route answers every prompt.")],
    dataset: Annotated[str, typer.Argument(help="A file in evals/datasets, without its ending.")] = "canary",
    repeat: Annotated[int, typer.Option(min=1, max=100, help="How often each case is played.")] = 5,
    accepting: Annotated[bool, typer.Option("--accept", help="Hold later runs against what it does now.")] = False,
    alarming: Annotated[
        bool, typer.Option("--alarm", help="Tell a drift by the routes of the configured database, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play a dataset with a live model, and alarm when it passes less often than when it was accepted.

    Exit codes: 0 no worse, 1 worse: the alarm, 2 usage, 3 nothing can be said. Tools are worlds all the same.
    """
    with errors_shown():
        folders, file = read_dataset(evals_folder(), dataset), evals_folder() / "datasets" / f"{dataset}.{alias}.json"
        before = None if accepting else read_accepted(file)
        now = asyncio.run(_play(folders, alias, pinned(alias), repeat, aside()))
        if before is None:
            _accept(now)
            write_accepted(file, now)
            typer.echo(f"Accepted {len(now.passed)} cases of {', '.join(now.models)}: {file.name}.")
            return
        found = drift(before, now)
        if alarming and found.rates.answer == "worse":
            asyncio.run(_alarm(found, dataset, aside()))
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=1, ensure_ascii=False))
    else:
        _show(page(), found)
    raise typer.Exit(_EXIT[found.rates.answer])


async def _play(folders: Sequence[CaseFolder], alias: str, route: Alias, repeat: int, aside: Console) -> Accepted:
    results = []
    async with open_for_evals() as engine:
        with CaseProgress(aside, len(folders) * repeat) as progress:
            for turn, folder in product(range(1, repeat + 1), folders):
                results.append(await play_live(engine, folder, route, turn))
                progress.advance(results[-1])
        versions = {workflow: engine.catalog[workflow].version for workflow in engine.catalog}
    return observed(alias, versions, results)


async def _alarm(found: Drift, dataset: str, aside: Console) -> None:
    settings = read_settings()
    named = ", ".join(found.now.models) or "no model"
    summary = f"{found.now.alias} ({named}) passes {-found.rates.difference:.0%} less of the dataset {dataset}"
    said: JsonObject = {"alias": found.now.alias, "dataset": dataset, "difference": round(found.rates.difference, 4)}
    with of_tenant(settings.tenant):
        async with (
            open_database(settings, lambda line: aside.print(line, markup=False), migrates=False) as database,
            database.transaction() as conn,
        ):
            await sound(conn, Alarm("drift", found.now.alias, summary, said), tenant=settings.tenant)


def _accept(now: Accepted) -> None:
    if not now.models:
        raise ConfigurationError(
            "No model has answered, so nothing was accepted.", hint="Try it: gatehouse models test ALIAS."
        )


def _show(shown: Console, found: Drift) -> None:
    if found.renamed:
        was, named = (", ".join(one.models) or "none" for one in (found.before, found.now))
        shown.print(f"another model answers: {named}, and {was} was accepted", style="yellow", markup=False)
    for case in found.worse:
        before, now = found.before.passed[case], found.now.passed[case]
        said = f"{case} passes {sum(now)} of {len(now)} times, and passed {sum(before)} of {len(before)}"
        shown.print(said, markup=False, highlight=False)
    alarm = "ALARM " if found.rates.answer == "worse" else ""
    shown.print(f"{alarm}{found.rates.answer}: {found.rates.why}", markup=False, highlight=False)
