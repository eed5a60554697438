"""`gatehouse senders`: agents and systems that start cases by what they sign."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.terminal import explained, say, show_json, show_table
from commands.where import Key, Url, Where, own_tenant
from contracts.errors import InvalidRequest
from engine.access.senders import list_senders

app = typer.Typer(no_args_is_help=True, help="Agents and systems that start cases: add, list, revoke.")

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command()
@explained
def add(
    name: Annotated[str, typer.Argument(help="Stands in records as sender:<name>.")],
    workflow: Annotated[str, typer.Option(help="The workflow that it may start.")],
    public_key: Annotated[
        Path | None, typer.Option(help="File with an agent's public key, a JWK; without one it is a hook.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="Scope of tools that its cases may use; by default all.")
    ] = None,
    url: Url = "",
    key: Key = "",
) -> None:
    """Let an agent or a system start cases. A hook's secret is printed once."""
    body: dict[str, Any] = {"name": name, "workflow": workflow, "kind": "agent" if public_key else "hook"}
    body |= {"public_key": _read(public_key) if public_key else None, "scopes": scope or None}
    made = Where(url, key).send("POST", "/senders", body)
    say(made["sender_id"])
    if made["secret"]:
        say(made["secret"])


@app.command("list")
@explained
def list_(url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """List senders, without their secrets."""
    found = Where(url, key).ask("/senders", lambda conn: list_senders(conn, tenant=own_tenant()))
    if as_json:
        show_json(found)
        return
    rows = [(s["id"], s["name"], s["kind"], s["workflow"], "revoked" if s["revoked_at"] else "live") for s in found]
    show_table(["id", "name", "kind", "workflow", "stands"], rows)


@app.command()
@explained
def revoke(sender: Annotated[str, typer.Argument(help="Id of a sender.")], url: Url = "", key: Key = "") -> None:
    """Take nothing from a sender any more, and do nothing more in its name."""
    Where(url, key).send("DELETE", f"/senders/{sender}")
    say(f"{escape(sender)} is revoked.")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path} holds no JWK: {type(error).__name__}.") from error
