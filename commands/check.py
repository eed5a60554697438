"""`gatehouse check`: whether the workflows of langgraph.json can be governed, without a database."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from commands.terminal import say, show_json
from contracts.errors import GatehouseError

if TYPE_CHECKING:
    from engine.catalog.patterns import Sighting
    from engine.catalog.workflow import Workflow
    from engine.settings import Settings


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Load every workflow and judge its tools, and look for anti-patterns. Exit code 1 where one must not go on."""
    told = _checked()
    if as_json:
        show_json(told)
    else:
        for warning in told["warnings"]:
            say(f"[yellow]warn[/yellow]  {escape(warning)}")
        for error in told["errors"]:
            say(f"[bold red]fail[/bold red]  {escape(error)}")
        if not told["errors"]:
            say(f"[green]ok[/green]    {', '.join(told['workflows'])} can be governed.")
    raise typer.Exit(1 if told["errors"] else 0)


def _checked() -> dict[str, Any]:
    # Imported here because it takes seconds that `--help` need not spend.
    from engine.catalog.catalog import load_catalog  # noqa: PLC0415
    from engine.catalog.tools import list_tools  # noqa: PLC0415
    from engine.opening import find_registry  # noqa: PLC0415
    from engine.settings import read_settings  # noqa: PLC0415

    try:
        settings = read_settings()
        registry = find_registry(settings)
        catalog = load_catalog(registry, routes={})
        found = [finding for one in list_tools(registry) for finding in one.findings]
        sighted = _sighted(catalog.values(), registry.resolve().parent / "evals", settings)
    except GatehouseError as error:
        return {"workflows": [], "errors": [" ".join(filter(None, (error.detail, error.hint)))], "warnings": []}
    told: dict[str, list[str]] = {"error": [], "warning": []}
    for f in found:
        told["warning"] += [f"{f.tool} {f.field} {f.says} ({f.rule}). {f.do}"] if f.level == "warning" else []
    for s in sighted:
        told[s.level].append(f"{s.workflow}: {s.says} ({s.pattern}). {s.do}")
    return {"workflows": list(catalog), "errors": told["error"], "warnings": told["warning"]}


def _sighted(workflows: "Iterable[Workflow]", evals: Path, settings: "Settings") -> "list[Sighting]":
    from commands.patterns import seen_of  # noqa: PLC0415
    from engine.catalog.patterns_of_evals import shortcomings  # noqa: PLC0415

    return [one for workflow in workflows for one in shortcomings(seen_of(workflow, evals, settings))]
