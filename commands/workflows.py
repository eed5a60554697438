"""`gatehouse workflows`: what this installation offers."""

from typing import Annotated

import typer

from commands.terminal import explained, show_json, show_table
from engine.catalog.catalog import load_catalog
from engine.opening import find_registry
from engine.settings import read_settings


@explained
def workflows(as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False) -> None:
    """List the workflows of langgraph.json with owner, version and stages."""
    catalog = load_catalog(find_registry(read_settings()), routes={})
    if as_json:
        listed = [
            {"name": w.name, "owner": w.policy.owner, "version": w.version, **w.manifest} for w in catalog.values()
        ]
        show_json(listed)
        return
    rows = []
    for workflow in catalog.values():
        gates = sum(stage.kind == "gate" for stage in workflow.stages.values())
        rows.append((workflow.name, workflow.policy.owner, workflow.version, len(workflow.stages), gates))
    show_table(["workflow", "owner", "version", "stages", "gates"], rows)
