"""`gatehouse launch-check` and `gatehouse promote`: whether a workflow may go live, and letting it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.patterns import seen_of
from commands.terminal import explained, say, show_json
from contracts.errors import NotToBePromoted
from engine.catalog.catalog import load_catalog
from engine.catalog.lock import LOCK
from engine.catalog.patterns import Sighting
from engine.catalog.patterns_of_evals import shortcomings
from engine.catalog.workflow import Workflow
from engine.opening import find_lock, find_registry
from engine.settings import read_settings
from evals import launch
from evals.launch import Item, launch_list

Name = Annotated[str, typer.Argument(help="A workflow.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@explained
def launch_check(workflow: Name, as_json: AsJson = False) -> None:
    """Show the launch list of a workflow with its evidence. Exit code 1 where something is missing."""
    loaded, evals, sighted = _looked_at(workflow)
    items = launch_list(loaded, evals, sighted)
    _show(loaded, items, as_json)
    raise typer.Exit(0 if all(item.met for item in items) else 1)


@explained
def promote(workflow: Name, as_json: AsJson = False) -> None:
    """Let a workflow as it is now start, once everything on its launch list is there; else exit code 1.

    Its prompts, tools and policy go into the lock, and servers start with no others.
    """
    loaded, evals, sighted = _looked_at(workflow)
    _show(loaded, launch_list(loaded, evals, sighted), as_json)
    try:
        launch.promote(find_lock(read_settings()), loaded, evals, sighted)
    except NotToBePromoted as error:
        raise typer.Exit(1) from error
    if not as_json:
        say(f"Promoted in {LOCK}: put it under version control.")


def _looked_at(name: str) -> tuple[Workflow, Path, list[Sighting]]:
    settings = read_settings()
    registry = find_registry(settings)
    workflow, evals = load_catalog(registry, routes={})[name], registry.resolve().parent / "evals"
    return workflow, evals, shortcomings(seen_of(workflow, evals, settings))


def _show(workflow: Workflow, items: list[Item], as_json: bool) -> None:
    if as_json:
        met = all(item.met for item in items)
        show_json(
            {"workflow": workflow.name, "version": workflow.version, "met": met}
            | {"items": [item.as_json() for item in items]}
        )
        return
    for item in items:
        mark = "[green]ok[/green]  " if item.met else "[bold red]miss[/bold red]"
        say(f"{mark}  {item.name:18} {escape(item.evidence)}")
