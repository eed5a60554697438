"""The command line of exports, mounted as `gatehouse eval export`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import ConfigurationError, ResidencyRefused
from engine.configured import catalog_of
from engine.credentials.references import reveal
from engine.models.routing import Routing
from engine.settings import Settings, read_settings
from evals.case_files import CaseFolder
from evals.exporting.examples import examples_of, write_lines
from evals.exporting.inspect_files import write_inspect
from evals.gate import select
from evals.speaking import AsJson, CaseNames, Workflows, errors_shown, evals_folder

_ALL = "*"
"""Of regions: those of whom nothing else is said."""


def export_command(
    workflows: Workflows = None,
    case: CaseNames = None,
    langsmith: Annotated[Path | None, typer.Option(help="A file for LangSmith's examples, as JSON lines.")] = None,
    upload: Annotated[bool, typer.Option("--upload", help="Send them to the configured LangSmith.")] = False,
    dataset: Annotated[str, typer.Option(help="What the dataset is called there.")] = "gatehouse",
    inspect: Annotated[Path | None, typer.Option(help="A folder for a dataset and a task of Inspect.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write cases in other houses' formats, without secrets, card numbers and IBANs. Exit codes: 0 written, 2 not."""
    with errors_shown():
        if not (langsmith or upload or inspect):
            raise ConfigurationError("Nothing says where to.", hint="--langsmith FILE, --upload or --inspect FOLDER.")
        folders = [one for each in select(evals_folder(), workflows or (), case or (), None) for one in each.cases]
        if langsmith:
            write_lines(langsmith, [example.as_json() for example in examples_of(folders, dataset)])
        if inspect:
            write_inspect(inspect, folders)
        taken = _upload(read_settings(), folders, dataset) if upload else 0
    said = {"cases": len(folders), "uploaded": taken, "dataset": dataset if upload else ""}
    told = f"{len(folders)} cases are written{f', {taken} of them to {dataset!r}' if upload else ''}."
    typer.echo(json.dumps(said) if as_json else told)


def _upload(settings: Settings, folders: Sequence[CaseFolder], dataset: str) -> int:
    from evals.exporting.langsmith_dataset import upload  # noqa: PLC0415  # slow to import, and seldom wanted

    if not settings.langsmith_url:
        raise ConfigurationError(
            "No LangSmith is configured, so nothing was sent.", hint="Set GATEHOUSE_LANGSMITH_URL and _API_KEY."
        )
    _require_within_borders(settings, {folder.workflow for folder in folders})
    key = reveal(settings.langsmith_api_key)
    return upload(settings.langsmith_url, key, dataset, examples_of(folders, dataset))


def _require_within_borders(settings: Settings, workflows: set[str]) -> None:
    """A case may have been a run's: it crosses no border that a copy of its trace would not."""
    catalog, routing = catalog_of(settings, locked=False), Routing({}, settings.regions)
    for workflow in sorted(workflows):
        border = routing.border(_ALL, catalog[workflow].policy.data_class)
        if not border.lets(settings.langsmith_residency):
            raise ResidencyRefused(
                f"Cases of {workflow!r} may not go to the configured LangSmith, so nothing was sent.",
                hint="GATEHOUSE_LANGSMITH_RESIDENCY names the regions and classes of data that may.",
            )
