"""`gatehouse effects`: what was changed outside, taking it back, and saying what became of what nobody knows."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, minute, say, show_json, show_table
from contracts.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Effects: list, show, undo, resolve.")

EffectKey = Annotated[str, typer.Argument(help="Key of the effect in the ledger.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command("list")
@explained
def list_(
    state: Annotated[str, typer.Option(help="unknown, started, done, refused, resolved_done, … or all.")] = "unknown",
    workflow: Annotated[str, typer.Option(help="Only effects of this workflow.")] = "",
    tool: Annotated[str, typer.Option(help="Only calls of this tool, as in `system.operation`.")] = "",
    case: Annotated[str, typer.Option(help="Only effects of this case: the id of its thread.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """List effects, the one that was begun first at the top."""
    wanted = {"state": state, "workflow": workflow, "tool": tool, "thread_id": case, "limit": limit}
    query = {name: value for name, value in wanted.items() if value}
    found = call("GET", "/effects", url=url, key=key, query=query)
    if as_json:
        show_json(found)
        return
    show_table(
        ["key", "state", "tool", "began (UTC)", "case waits"],
        [(e["key"], e["state"], e["tool"], minute(e["opened_at"]), "yes" if e["waits"] else "no") for e in found],
        spare=("began (UTC)", "case waits"),
    )


@app.command()
@explained
def show(effect: EffectKey, url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """Show one effect: what was called, when, under which approval, and what is known about it."""
    found = call("GET", f"/effects/{effect}", url=url, key=key)
    if as_json:
        show_json(found)
    else:
        _print(found)


@app.command()
@explained
def undo(
    effect: EffectKey,
    reason: Annotated[str, typer.Option(help="Why it is taken back; kept with your name.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Take back what an effect did, by the compensation of its tool, within the grace time of its queue."""
    found = call("GET", f"/effects/{effect}", url=url, key=key)
    done = call("POST", f"/approvals/{found['approval_id']}/undo", url=url, key=key, body={"reason": reason})
    if as_json:
        show_json(done)
        return
    say(f"It is being taken back. Follow it: gatehouse effects show {done['effect']}")


@app.command()
@explained
def resolve(
    effect: EffectKey,
    outcome: Annotated[str, typer.Argument(help="happened, did_not_happen or abort.")],
    result: Annotated[str, typer.Option(help="The lost reply as JSON, for what happened.")] = "",
    note: Annotated[str, typer.Option(help="How you know; kept with your name.")] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Say what became of an effect, after you have looked in the outside system."""
    body: dict[str, Any] = {"outcome": outcome, "note": note}
    try:
        body |= {"result": json.loads(result)} if result else {}
    except ValueError as error:
        raise InvalidRequest(f"The result is not JSON: {error}.") from error
    settled = call("POST", f"/effects/{effect}/resolve", url=url, key=key, body=body)
    if as_json:
        show_json(settled)
        return
    goes_on = f" Run {settled['resumed_by']} goes on." if settled["resumed_by"] else ""
    say(f"Recorded: {settled['state']} by {settled['resolved_by']}.{goes_on}")


def _print(effect: dict[str, Any]) -> None:
    say(f"[bold]{escape(effect['tool'])}[/bold] {escape(json.dumps(effect['args']))}")
    say(f"  state      {effect['state']} after {effect['attempt']} attempt(s), class {effect['effect_class']}")
    say(f"  began      {minute(effect['opened_at'])} UTC, last attempt {minute(effect['started_at'])} UTC")
    for name in ("error", "result"):
        if effect[name]:
            say(f"  {name:10} {escape(json.dumps(effect[name]))}")
    say(f"  key        {effect['key']}  [dim](sent as {effect['idempotency_key']})[/dim]")
    say(f"  case       thread {effect['thread_id']}, run {effect['run_id']}, stage {effect['stage']}")
    say(f"  approval   {effect['approval_id']}")
    if effect["resolved_by"]:
        say(f"  resolved   {effect['resolution']} by {effect['resolved_by']}: {escape(effect['note'])}")
