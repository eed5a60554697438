"""`gatehouse tools import`: writes typed tools for chosen operations, with the risk left to whoever adds them."""

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.terminal import explained, note, say
from contracts.errors import AlreadyExists, InvalidRequest
from engine.importing.document import read_document
from engine.importing.openapi import operations_of
from engine.importing.operation import python_name, sentence
from engine.importing.writing import source_of

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
    text = _from_openapi(Path(source), names, system or (output.stem if output else ""))
    if output is None:
        typer.echo(text, nl=False)
        return
    output.write_text(text)
    say(f"{escape(str(output))}: {len(names)} tool(s). They load once their risk stands in place of RISK_UNKNOWN.")


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
