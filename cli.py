"""Operators' door: `gatehouse …`."""

from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from commands import approvals, keys, serving, trail
from commands.demo import demo
from commands.terminal import explained, say, show_json, show_table
from engine.catalog.catalog import load_catalog
from engine.settings import read_settings
from engine.wiring import find_registry
from evals.commands import app as evals

app = typer.Typer(
    name="gatehouse",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Governed agent workflows: gates that hold, effects that happen once, a trail that shows it.",
)
app.command()(demo)
app.command()(serving.serve)
app.command()(serving.worker)
app.add_typer(approvals.app, name="approvals")
app.add_typer(trail.runs, name="runs")
app.add_typer(trail.audit, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(evals, name="eval")


@app.command()
@explained
def workflows(as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False) -> None:
    """List the workflows of langgraph.json with owner, version and stages."""
    catalog = load_catalog(find_registry(read_settings()), routes={})
    if as_json:
        show_json(
            [{"name": w.name, "owner": w.policy.owner, "version": w.version, **w.manifest} for w in catalog.values()]
        )
        return
    rows = []
    for workflow in catalog.values():
        gates = sum(stage.kind == "gate" for stage in workflow.stages.values())
        rows.append((workflow.name, workflow.policy.owner, workflow.version, len(workflow.stages), gates))
    show_table(["workflow", "owner", "version", "stages", "gates"], rows)


@app.command()
def version() -> None:
    """Print the installed version."""
    say(installed_version("gatehouse"))


def main() -> None:
    """Entry point of the `gatehouse` command."""
    app()


if __name__ == "__main__":
    main()
