"""`gatehouse audit secrets-scan`: whether a secret lies where none may be."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.terminal import explained, note, say, show_json, show_table
from contracts.errors import InvalidRequest
from engine.credentials.references import reveal
from engine.opening import open_database
from engine.operations.secrets_scan import Scan, Searched, scan
from engine.settings import read_settings
from engine.store.scope import across_tenants
from engine.store.seal import existing_seal_key


@explained
def secrets_scan(
    file: Annotated[list[Path] | None, typer.Option(help="A log or an exported trace to look at, too.")] = None,
    also: Annotated[
        Path | None, typer.Option(help="A file of more secrets to look for, one a line, as canaries.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Look for every configured secret, and for what has a key's form, in all that is stored; exit code 1 if found."""
    found = asyncio.run(_scan(file or [], _more(also)))
    if as_json:
        show_json(asdict(found))
    else:
        _print(found)
    raise typer.Exit(1 if found.hits else 0)


async def _scan(files: list[Path], more: dict[str, str]) -> Scan:
    settings = read_settings()
    searched = Searched(settings.secrets() | more)
    key = existing_seal_key(reveal(settings.seal_key), settings.home)
    with across_tenants("secrets are looked for in everything that is stored"):
        async with open_database(settings, note, migrates=False) as database, database.transaction() as conn:
            return await scan(conn, searched, key, files)


def _more(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        lines = path.read_text().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{str(path)!r} cannot be read: {type(error).__name__}.") from None
    return {f"{path.name} line {number}": line for number, line in enumerate(lines, 1) if line.strip()}


def _print(found: Scan) -> None:
    if found.hits:
        show_table(["what", "lies in", "at"], [(hit.what, hit.where, hit.row) for hit in found.hits])
        say("[bold red]Change these secrets[/bold red]: whoever can read the database or the file has them.")
    else:
        say(f"[green]None[/green] in {found.values} values.")
    if found.weak:
        say(f"[yellow]Not looked for[/yellow], too short or plain: {escape(', '.join(found.weak))}")
