"""`gatehouse people`: who signed in by tokens of an identity provider, and who may not any more."""

from typing import Annotated

import typer
from rich.markup import escape

from commands.terminal import explained, say, show_json, show_table
from commands.where import Key, Url, Where, own_tenant
from engine.access.people import list_people

app = typer.Typer(no_args_is_help=True, help="People who sign in by tokens: list, block, unblock.")

Name = Annotated[str, typer.Argument(help="As in records, such as oidc:ada.")]


@app.command("list")
@explained
def list_(
    url: Url = "", key: Key = "", as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False
) -> None:
    """List everybody who signed in by a token."""
    found = Where(url, key).ask("/people", lambda conn: list_people(conn, tenant=own_tenant()))
    if as_json:
        show_json(found)
        return
    show_table(
        ["name", "roles", "approves", "scopes", "seen", "blocked by"],
        [
            (
                p["name"],
                ", ".join(p["roles"]),
                ", ".join(p["approver_roles"]),
                "no limit" if p["scopes"] is None else " ".join(p["scopes"]),
                p["seen_at"],
                p["blocked_by"],
            )
            for p in found
        ],
        spare=("scopes", "approves"),
    )


@app.command()
@explained
def block(name: Name, url: Url = "", key: Key = "") -> None:
    """Let somebody's tokens count no more, also for what they asked for before."""
    Where(url, key).send("POST", f"/people/{name}/block")
    say(f"{escape(name)} is blocked.")


@app.command()
@explained
def unblock(name: Name, url: Url = "", key: Key = "") -> None:
    """Let somebody's tokens count again."""
    Where(url, key).send("POST", f"/people/{name}/unblock")
    say(f"{escape(name)} may sign in again.")
