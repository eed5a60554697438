"""`gatehouse keys`: who may call, review and operate."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from commands.terminal import explained, note, say, show_json, show_table
from engine.access import keys
from engine.access.keys import LOCAL, KeyLimits
from engine.opening import open_database
from engine.settings import read_settings

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

    async def run() -> str:
        async with open_database(read_settings(), note) as database, database.transaction() as conn:
            return await keys.create_key(conn, name, role, approves or [], limits, tenant)

    say(asyncio.run(run()))


@app.command("list")
@explained
def list_(as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False) -> None:
    """List keys, without their secrets."""

    async def run() -> list[dict[str, Any]]:
        async with open_database(read_settings(), note) as database, database.transaction() as conn:
            return await keys.list_keys(conn)

    found = asyncio.run(run())
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

    async def run() -> str:
        async with open_database(read_settings(), note) as database, database.transaction() as conn:
            return await keys.revoke_key(conn, key)

    say(f"Revoked {asyncio.run(run())}.")


def _stands(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"] is None:
        return "live"
    ends = f"{key['expires_at'].astimezone(UTC):%Y-%m-%d %H:%M}"
    return f"live until {ends}" if key["expires_at"] > datetime.now(UTC) else f"ended {ends}"
