"""Follows a run until it ends: polls its case's records, prints each as it comes."""

import time
from collections.abc import Callable
from typing import Any

from commands.steps import print_step
from commands.terminal import show_line

_ENDED = ("success", "error", "timeout", "interrupted")
_WAITS = 3
_REST_S = 0.4


def follow(tell: Callable[[int], dict[str, Any]], *, as_json: bool) -> dict[str, Any]:
    """Print the run's records behind each other until it has ended; returns the run.

    `tell` gives the run and the records of its case after a number; those of other runs of the case are left out.
    """
    after = 0
    while True:
        told = tell(after)
        for record in told["records"]:
            after = record["seq"]
            if record["run_id"] != told["run"]["run_id"]:
                continue
            if as_json:
                show_line(record)
            else:
                print_step(record)
        if told["run"]["status"] in _ENDED:
            run: dict[str, Any] = told["run"]
            return run
        time.sleep(_REST_S)


def exit_code(run: dict[str, Any]) -> int:
    """0 for a run that ended as its workflow declared, 3 for one that waits for somebody, 1 for the rest."""
    if run["status"] == "success":
        return 0
    return _WAITS if run["status"] == "interrupted" and run["outcome"] is None else 1


def how_it_ended(run: dict[str, Any]) -> str:
    """The last line that a watcher reads."""
    match exit_code(run):
        case 0:
            return f"[bold green]{run['outcome']}[/bold green]"
        case 1:
            said = (run["error"] or {}).get("message", "")
            return f"[bold red]{run['outcome'] or run['status']}[/bold red] {said}".rstrip()
        case _:
            return "[bold cyan]interrupted[/bold cyan]: it goes on when somebody has answered"
