"""`gatehouse check`: whether the workflows of langgraph.json can be governed, without a database."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.terminal import say, show_json
from contracts.errors import GatehouseError


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Load every workflow and judge its tools. Exit code 1 where one would be refused at start."""
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
        registry = find_registry(read_settings())
        catalog = load_catalog(registry, routes={})
        found = [finding for one in list_tools(registry) for finding in one.findings]
    except GatehouseError as error:
        return {"workflows": [], "errors": [" ".join(filter(None, (error.detail, error.hint)))], "warnings": []}
    warnings = [f"{f.tool} {f.field} {f.says} ({f.rule}). {f.do}" for f in found if f.level == "warning"]
    return {"workflows": list(catalog), "errors": [], "warnings": warnings}
