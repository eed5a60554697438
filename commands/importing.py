"""`gatehouse tools import`: writes typed tools for chosen operations, with the risk left to whoever adds them."""

import asyncio
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.terminal import explained, note, say
from contracts.errors import AlreadyExists, InvalidRequest, NotFound
from engine.importing.document import read_document
from engine.importing.mcp_tools import operations_of_server
from engine.importing.openapi import operations_of
from engine.importing.operation import python_name, sentence
from engine.importing.writing import source_of
from engine.mcp_servers.pins import Pinned, pin, pinned
from engine.mcp_servers.servers import is_mcp, tools_of
from engine.opening import find_lock
from engine.settings import read_settings

Only = Annotated[str, typer.Option(help="The operations, by name and separated by commas: none comes by itself.")]


@explained
def import_(
    source: Annotated[str, typer.Argument(help="An OpenAPI document (YAML or JSON), or an MCP server's address.")],
    only: Only,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The module; by default it is printed.")] = None,
    system: Annotated[str, typer.Option(help="How the system is called; by default like the module.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a module that is there.")] = False,
) -> None:
    """Write typed, narrow tools for chosen operations. They load once somebody has said their risk."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    if not names:
        raise InvalidRequest("Name the operations that are wanted: --only getOrder,cancelOrder.")
    if output and output.exists() and not force:
        raise AlreadyExists(f"{output} is there already.", hint="Name another file, or use --force: its risk is lost.")
    named = system or (output.stem if output else "")
    address = f"mcp+{source}" if source.startswith(("http://", "https://")) else source
    if is_mcp(address):
        text = asyncio.run(_from_mcp(address, names, python_name(named or "server"), keep=output is not None))
    else:
        text = _from_openapi(Path(source), names, named)
    if output is None:
        typer.echo(text, nl=False)
        return
    output.write_text(text)
    say(f"{escape(str(output))}: {len(names)} tool(s). They load once their risk stands in place of RISK_UNKNOWN.")


@explained
def pin_(
    system: Annotated[str, typer.Argument(help="An MCP server, as its tools call it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Pin what has changed: you have looked at it.")] = False,
) -> None:
    """Show which tools of an MCP server are not what they were pinned as, and pin them anew with --yes."""
    lock = find_lock(read_settings())
    server = pinned(lock, system)
    if server is None:
        raise NotFound(f"{lock.name} pins no server {system!r}.", hint="Tools come there by: gatehouse tools import")
    offered = asyncio.run(tools_of(server.address))
    changed = [name for name, pin in server.tools.items() if name not in offered or offered[name].digest != pin]
    for name in changed:
        now = offered[name].members if name in offered else "it is not offered any more"
        say(f"[yellow]{escape(name)}[/yellow]  {escape(json.dumps(now, indent=2, ensure_ascii=True))}")
    if not changed:
        say(f"Every tool of {escape(system)} is what it was pinned as.")
        return
    if not yes:
        say("Nothing was pinned. Look at it, import again what takes other arguments, then use --yes.")
        raise typer.Exit(1)
    kept = {name: offered[name].digest for name in server.tools if name in offered}
    pin(lock, system, Pinned(server.address, kept))
    say(f"Pinned: {escape(', '.join(kept))}.")


async def _from_mcp(address: str, names: list[str], system: str, *, keep: bool) -> str:
    offered = await tools_of(address)
    operations, document = operations_of_server(offered, names)
    about = f"The MCP server {system}, finished by people."
    text = formatted(source_of(operations, document, system=system, about=about))
    if keep:
        lock = find_lock(read_settings())
        known = pinned(lock, system)
        tools = {**(known.tools if known else {}), **{name: offered[name].digest for name in names}}
        pin(lock, system, Pinned(address, tools))
    return text


def _from_openapi(path: Path, names: list[str], system: str) -> str:
    document = read_document(path)
    operations = operations_of(document, names)
    info = document.get("info") or {}
    title = sentence(str(info.get("title", "")), path.stem).rstrip(".")
    seen = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    about = f"{title}, {info.get('version', 'no version')}: made of {path.name} (SHA-256 {seen}), finished by people."
    return formatted(source_of(operations, document, system=python_name(system or title), about=about))


def formatted(text: str) -> str:
    """The text as `ruff format` writes it, where ruff is installed."""
    ruff = shutil.which("ruff")
    if ruff is None:
        note("ruff is not installed: the text is right, and not formatted.")
        return text
    words = [ruff, "format", "--line-length", "120", "-"]
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=True)
    return done.stdout
