"""What whoever asked for a run may still have done for them, looked up where it is about to be done."""

from collections.abc import Collection

from contracts.errors import RightsMissing
from engine.access.keys import LOCAL, principal_in
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_OF_THIS_MACHINE = ("local:", "server:")
"""Whoever may open the database itself, and our gateway on another server: no credential stands behind them."""


async def require_rights(conn: Connection, name: str, *, tenant: str, scopes: Collection[str]) -> None:
    """Raises `RightsMissing` unless `name` may call now, with all these scopes of tools.

    One statement. Where no key was ever made nobody has signed in, and everybody is this machine.
    """
    if name == LOCAL.name or name.startswith(_OF_THIS_MACHINE):
        return
    row = await (await conn.execute(_SQL["rights_now"], {"name": name, "tenant": tenant})).fetchone()
    if row is None or row["name"] is None:
        if row and not row["guarded"]:
            return
        raise RightsMissing(
            f"{name!r}, who asked for this, has no rights any more: their key has ended, or they are blocked.",
            hint="Somebody who may starts the case anew.",
        )
    principal = principal_in(row)
    if not principal.roles & {"caller", "operator"}:
        raise RightsMissing(f"{name!r}, who asked for this, is neither caller nor operator any more.")
    if missing := [scope for scope in scopes if not covers(principal.scopes, scope)]:
        raise RightsMissing(
            f"{name!r}, who asked for this, lacks the scopes {missing}.",
            hint="Make a key with: gatehouse keys create NAME --role caller --scope …",
            facts={"missing": missing},
        )


def covers(granted: Collection[str] | None, scope: str) -> bool:
    """Whether scopes that were granted, of which `<system>:*` is each of a system, contain one; None contains all."""
    return granted is None or scope in granted or f"{scope.partition(':')[0]}:*" in granted
