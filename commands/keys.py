"""`gatehouse keys`: who may call, review and operate."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from commands.terminal import explained, say, show_json, show_table
from commands.where import on_database
from engine.access import keys
from engine.access.keys import LOCAL, KeyLimits
from engine.store.scope import across_tenants, of_tenant

app = typer.Typer(no_args_is_help=True, help="API keys: who may call, review and operate.")


@app.command()
@explained
def create(
    name: Annotated[str, typer.Argument(help="Whose key this is; stands in the audit trail.")],
    role: Annotated[list[str], typer.Option(help="caller, reviewer, operator, author or auditor; may be given again.")],
    approves: Annotated[
        list[str] | None, typer.Option(help="Role of a policy that a reviewer decides for, such as finance.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Its tenant; tenants do not see each other.")] = LOCAL.tenant,
    days: Annotated[int | None, typer.Option(help="Days until the key ends; by default it does not.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Scope of tools that calls in its name may use, such as billing:refund or billing:*."),
    ] = None,
) -> None:
    """Make a key and print it. It is shown once and cannot be read back."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    limits = KeyLimits(expires_at, frozenset(scope) if scope else None)

    with of_tenant(tenant):
        made = on_database(
            lambda conn: keys.create_key(conn, name, role, approves or [], limits, tenant), migrates=True
        )
    say(made)


@app.command("list")
@explained
def list_(as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False) -> None:
    """List keys, without their secrets."""
    with across_tenants("whoever may open the database sees whose keys there are"):
        found = on_database(keys.list_keys, migrates=True)
    if as_json:
        show_json(found)
        return
    rows = [
        (k["id"], k["name"], k["tenant"], ", ".join(k["roles"]), ", ".join(k["approver_roles"]), _stands(k))
        for k in found
    ]
    show_table(["id", "name", "tenant", "roles", "approves", "stands"], rows)


@app.command()
@explained
def revoke(key: Annotated[str, typer.Argument(help="Id or name.")]) -> None:
    """End a key at once."""
    with across_tenants("a key is ended by its id or name, whosever it is"):
        ended = on_database(lambda conn: keys.revoke_key(conn, key), migrates=True)
    say(f"Revoked {ended}.")


def _stands(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"] is None:
        return "live"
    ends = f"{key['expires_at'].astimezone(UTC):%Y-%m-%d %H:%M}"
    return f"live until {ends}" if key["expires_at"] > datetime.now(UTC) else f"ended {ends}"
