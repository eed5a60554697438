"""Whether the command line has a command, for checks of what is written about it."""

from functools import cache
from typing import Any

import typer
from typer.testing import CliRunner


@cache
def _app() -> typer.Typer:
    from cli import app  # noqa: PLC0415  # read when a command is looked up, so that other checks do without it

    return app


def refusal(words: list[str]) -> str:
    """What the command line has against these arguments, "" if nothing. Nothing is run: help is asked for."""
    command: Any = typer.main.get_command(_app())
    path, rest = ["gatehouse"], [*words]
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        path.append(rest.pop(0))
        found = command.get_command(typer.Context(command), path[-1])
        if found is None:
            return f"there is no command {' '.join(path)!r}"
        command = found
    answer = CliRunner().invoke(_app(), [*path[1:], "--help", *rest])
    return "" if answer.exit_code == 0 else f"{' '.join([*path, *rest])!r}: {answer.output.strip()}"
