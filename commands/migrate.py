"""`gatehouse migrate`: the database brought to this version's schema, before servers and workers start."""

import asyncio
from typing import Annotated

import typer

from commands.terminal import explained, note, say, show_json
from engine.opening import find_dsn, find_missing_migrations
from engine.settings import read_settings
from engine.store.migrate import migrate as bring_forward


@explained
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 when something is missing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Bring the database to this version's schema. Repeatable; of several at once, one does it and the others wait."""
    if check:
        missing = asyncio.run(find_missing_migrations(read_settings(), note))
        if as_json:
            show_json({"missing": missing})
        else:
            say(f"Missing: {', '.join(missing)}." if missing else "The schema is this version's.")
        raise typer.Exit(1 if missing else 0)
    applied = asyncio.run(bring_forward(find_dsn(read_settings(), note)))
    if as_json:
        show_json({"applied": applied})
    else:
        say(f"Applied: {', '.join(applied)}." if applied else "Nothing to do: the schema is this version's.")
