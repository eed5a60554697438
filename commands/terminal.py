"""How commands speak: plain lines, tables, JSON on request, and errors that say what to do."""

import json
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.errors import GatehouseError, RefusedByServer

P = ParamSpec("P")
T = TypeVar("T")

# Piped output is not squeezed into the 80 columns of a terminal that is not there.
OUT = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)
_LINE = 400


def say(text: str = "") -> None:
    """A line for people, markup allowed."""
    OUT.print(text)


def note(text: str) -> None:
    """A line about what is going on, on standard error so that output can be piped."""
    ERR.print(f"[dim]{escape(text)}[/dim]")


def shorten(text: str, length: int = _LINE) -> str:
    """A line that people still read; `--json` has the whole."""
    return text if len(text) <= length else f"{text[:length]} … ({len(text):,} characters, see --json)"


def minute(at: str) -> str:
    """A time as people read it, of one that comes as UTC in ISO 8601."""
    return at[:16].replace("T", " ")


def show_json(value: Any) -> None:
    """Output for programs."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def show_line(value: Any) -> None:
    """One of several outputs for programs, on a line of its own and at once."""
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows under their headings; where there are none, that is said."""
    if not rows:
        say("There are none.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # What people copy stays whole; the rest may wrap.
        table.add_column(column, no_wrap=column in ("request", "run", "id"), overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    OUT.print(table)


def explained(command: Callable[P, T]) -> Callable[P, T]:
    """A command whose errors are printed with their code and hint; exit code 2."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except GatehouseError as error:
            # What a server refused reads as it would on the database: with the server's own title and code.
            said = error.facts if isinstance(error, RefusedByServer) else {}
            title, code = str(said.get("title", error.title)), str(said.get("code", error.code))
            ERR.print(f"[bold red]{escape(title)}[/bold red] [dim]({escape(code)})[/dim]\n{escape(error.detail)}")
            if error.hint:
                ERR.print(f"[bold]What to do:[/bold] {escape(error.hint)}")
            raise typer.Exit(2) from error

    return run
