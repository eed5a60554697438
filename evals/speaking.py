"""How the commands of evals speak: results on standard output, the rest beside it, errors with what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from contracts.errors import GatehouseError
from engine.opening import find_registry
from engine.settings import read_settings
from evals.gate import USAGE

_WIDTH = 150
"""Columns of a page that goes to no terminal."""

Workflows = Annotated[list[str] | None, typer.Argument(help="Workflows, or a dataset; by default all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]
CaseNames = Annotated[list[str] | None, typer.Option("--case", help="Only this case; may be repeated.")]


def evals_folder() -> Path:
    """Cases lie beside the registry of workflows, so that a project of its own has cases of its own."""
    return find_registry(read_settings()).resolve().parent / "evals"


def page() -> Console:
    """Where results go."""
    shown = Console()
    return shown if shown.is_terminal else Console(width=_WIDTH)


def aside() -> Console:
    """Where progress and notes go, so that standard output holds results alone."""
    return Console(stderr=True)


@contextmanager
def errors_shown() -> Iterator[None]:
    """An error of ours is said and ends the command as a mistake in its use."""
    try:
        yield
    except GatehouseError as error:
        said = f"{error.detail} ({error.code})\n{error.hint}".strip()
        aside().print(said, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(USAGE) from error
