"""`gatehouse lock`: prompts, tools and policies as they are now are those that may start."""

from typing import Annotated

import typer

from commands.terminal import explained, say, show_json, show_table
from engine.catalog.catalog import load_catalog
from engine.catalog.lock import LOCK, Difference, differences
from engine.catalog.lock import lock as keep
from engine.opening import find_lock, find_registry
from engine.settings import read_settings

_NOTHING = "Every prompt, tool and policy is what the lock says."


@explained
def lock(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if something differs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Accept prompts, tools and policies as they are: what is changed behind your back does not start."""
    settings = read_settings()
    path, workflows = find_lock(settings), [*load_catalog(find_registry(settings), routes={}).values()]
    found = differences(path, workflows)
    if not check:
        keep(path, workflows)
    if as_json:
        show_json([vars(one) for one in found])
    else:
        _show(found, check)
    if check and found:
        raise typer.Exit(1)


def _show(found: list[Difference], check: bool) -> None:
    if not found:
        say(_NOTHING)
        return
    show_table(["workflow", "part", ""], [(one.workflow, one.part, one.is_) for one in found])
    say("Accept them: gatehouse lock." if check else f"Accepted in {LOCK}: put it under version control.")
