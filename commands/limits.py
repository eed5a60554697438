"""`gatehouse kill`, `switches` and `budgets`: stop what must not go on, let it go on again, see what is left."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, minute, say, show_json, show_table

switches = typer.Typer(no_args_is_help=True, help="Kill switches: list them, and switch things on again.")
budgets = typer.Typer(no_args_is_help=True, help="Budgets: what is spent, reserved and left.")

Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.", prompt=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@explained
def kill(
    scope: Annotated[str, typer.Argument(help="tenant, workflow, run or tool.")],
    reason: Reason,
    name: Annotated[str, typer.Argument(help="Which one; a run by its id, a tenant is your own.")] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Stop a tenant, workflow, run or tool at its next call, everywhere. Two operators switch it on again."""
    made = call("POST", "/switches", url=url, key=key, body={"scope": scope, "name": name, "reason": reason})
    if as_json:
        show_json(made)
        return
    say(f"[bold]{made['scope']} {escape(made['name'])}[/bold] is off (switch {made['id']}).")


@switches.command("list")
@explained
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that are on again, too.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """List what is switched off, newest first."""
    found = call("GET", "/switches", url=url, key=key, query={"all": every})
    if as_json:
        show_json(found)
        return
    rows = [(s["id"], s["scope"], s["name"], s["off_by"], minute(s["off_at"]), s["reason"], _waits(s)) for s in found]
    show_table(["id", "scope", "name", "by", "since (UTC)", "reason", "stands"], rows, spare=("since (UTC)", "by"))


@switches.command()
@explained
def on(
    switch: Annotated[int, typer.Argument(help="A switch, as the list shows it.")],
    reason: Reason,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Ask for something to be on again or, as a second operator, agree: then it is."""
    found = call("POST", f"/switches/{switch}/on", url=url, key=key, body={"reason": reason})
    if as_json:
        show_json(found)
        return
    say(f"[bold]{found['scope']} {escape(found['name'])}[/bold]: {_waits(found)}.")


@budgets.command()
@explained
def show(
    run: Annotated[str | None, typer.Option(help="Of the case of this run; by default of today.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Show every cap of every workflow: spent, reserved by calls under way, left."""
    found = call("GET", "/limits", url=url, key=key, query={"run_id": run} if run else None)
    if as_json:
        show_json(found)
        return
    columns = ["workflow", "tool", "period", "unit", "spent", "reserved", "left", "of"]
    names = ("workflow", "tool", "period", "unit", "spent", "reserved", "left", "limit")
    show_table(columns, [tuple(line[name] for name in names) for line in found], spare=("period",))


def _waits(switch: dict[str, Any]) -> str:
    if not switch["off"]:
        return f"on again by {switch['on_asked_by']} and {switch['on_by']}"
    if switch["on_asked_by"]:
        return f"off; {switch['on_asked_by']} wants it on, a second operator has to agree"
    return "off"
