"""`gatehouse workflows`: what this installation offers, and how much each does by itself."""

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, minute, say, show_json, show_table
from contracts.errors import InvalidRequest
from engine.catalog.catalog import load_catalog
from engine.opening import find_registry
from engine.settings import read_settings

app = typer.Typer(help="Workflows: list them, see or change how much one does by itself.")

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]
Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="Name of a workflow.")]


@app.callback(invoke_without_command=True)
@explained
def workflows(context: typer.Context, as_json: AsJson = False) -> None:
    """List the workflows of langgraph.json with owner, version and stages."""
    if context.invoked_subcommand:
        return
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


@app.command()
@explained
def mode(
    workflow: Name,
    to: Annotated[
        str, typer.Argument(metavar="MODE", help="shadow, read_only, approve_all, thresholds or auto; none: show it.")
    ] = "",
    approve: Annotated[str, typer.Option(metavar="ID", help="Agree to the higher mode that somebody asked for.")] = "",
    reject: Annotated[str, typer.Option(metavar="ID", help="Do not agree to it.")] = "",
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail.")] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Show how much a workflow does by itself, lower it at once, or ask for more, which a second person decides."""
    path = f"/workflows/{quote(workflow, safe='')}/mode"
    changes = [change for change in (to, approve, reject) if change]
    if len(changes) > 1 or (changes and not reason):
        raise InvalidRequest("Say one of MODE, --approve or --reject, and why with --reason.")
    if to:
        found = call("POST", path, url=url, key=key, body={"mode": to, "reason": reason})
    elif changes:
        said = {"request_id": changes[0], "type": "approve" if approve else "reject", "reason": reason}
        found = call("POST", f"{path}/decision", url=url, key=key, body=said)
    else:
        found = call("GET", path, url=url, key=key)
    if as_json:
        show_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    by = f", set by {found['set_by']} at {minute(found['set_at'])}: {found['reason']}" if found["set_by"] else ""
    say(f"[bold]{escape(found['workflow'])}[/bold] works in the mode {found['mode']}{escape(by)}")
    if wish := found["wish"]:
        say(f"  {escape(wish['asked_by'])} asks for {wish['mode']}: {escape(wish['reason'])}")
        agree = f"gatehouse workflows mode {found['workflow']} --approve {wish['id']} --reason …"
        say(f"  somebody else agrees with: {escape(agree)}")
