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
_PROSE = {"summary": 24, "said": 24, "target": 24}
"""Columns that are still read when they wrap at words, and how wide they have to be for that."""


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


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, spare: Sequence[str] = ()) -> None:
    """Rows under their headings; where there are none, that is said.

    Columns named in `spare` are left out, one after another, where the terminal is too narrow for all.
    """
    if not rows:
        say("There are none.")
        return
    texts = [[str(value) for value in row] for row in rows]
    widths = [min(max(map(len, cells)), _PROSE.get(cells[0], OUT.width)) for cells in zip(columns, *texts, strict=True)]
    shown = list(range(len(columns)))
    for column in map(columns.index, spare):
        if sum(widths[place] + 2 for place in shown) - 2 > OUT.width:
            shown.remove(column)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place in shown:
        # What people copy stays whole; the rest may wrap.
        table.add_column(columns[place], no_wrap=columns[place] in ("request", "run", "id", "key"), overflow="fold")
    for row in texts:
        table.add_row(*(escape(row[place]) for place in shown))
    OUT.print(table)
    if len(shown) < len(columns):
        left_out = [name for place, name in enumerate(columns) if place not in shown]
        note(f"This terminal is too narrow for: {', '.join(left_out)}.")


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
