"""`gatehouse workflows`: what this installation offers, who answers for it, and how much each does by itself."""

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, minute, say, show_json, show_table
from contracts.errors import InvalidRequest
from engine.catalog.catalog import Catalog, load_catalog
from engine.catalog.overview import description_of, overview_of
from engine.opening import find_registry
from engine.settings import read_settings

app = typer.Typer(no_args_is_help=True, help="Workflows: list, show, see or change how much one does by itself.")

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]
Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="Name of a workflow.")]


@app.command("list")
@explained
def list_(as_json: AsJson = False) -> None:
    """List the workflows of langgraph.json: who owns them, what they can do, how much of them is deterministic."""
    rows = [overview_of(workflow) for workflow in _catalog().values()]
    if as_json:
        show_json(rows)
        return
    columns = ["workflow", "owner", "risk", "stages", "deterministic", "gates", "tools", "version"]
    show_table(columns, [[_cell(row[name]) for name in columns] for row in rows])


@app.command()
@explained
def show(workflow: Name, as_json: AsJson = False) -> None:
    """Show one: each stage with its kind, tools, prompt and where it leads; its tools, gates, queue and budget."""
    found = description_of(_catalog()[workflow])
    if as_json:
        show_json(found)
        return
    say(f"[bold]{escape(found['workflow'])}[/bold] {found['version']}, owned by {escape(found['owner'])}")
    say(escape(found["purpose"]))
    for name in ("success", "risk", "deterministic", "queue", "escalation", "budget"):
        say(f"  [dim]{name:13}[/dim] {escape(_cell(found[name]) or 'not said')}")
    say()
    columns = ["stage", "kind", "tools", "prompt", "leads_to", "recovery"]
    show_table(columns, [[_cell(row[name]) for name in columns] for row in found["stages"]], spare=("tools",))
    say()
    columns = ["tool", "effect", "gate_class", "asks"]
    show_table(columns, [[_cell(row[name]) for name in columns] for row in found["tools"]])


def _catalog() -> Catalog:
    return load_catalog(find_registry(read_settings()), routes={})


def _cell(value: Any) -> str:
    """A list of texts, or a share of one, as people read it."""
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.0%}" if isinstance(value, float) else str(value)


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
