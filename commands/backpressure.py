"""`gatehouse demo backpressure`: a queue that takes fifty cases, and callers who have far more."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from commands.own_servers import own_servers
from commands.pressure import Ground, Tally, press
from commands.terminal import ERR, explained, note, say, show_json
from engine.opening import find_registry
from engine.settings import read_settings

_QUEUE, _WORKFLOW = "billing-disputes", "billing_dispute"
_LINE_EVERY = 20


@explained
def backpressure(
    seconds: Annotated[float, typer.Option(min=1, max=300, help="How long callers send.")] = 20,
    capacity: Annotated[int, typer.Option(min=1, max=500, help="How many cases the queue takes.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Send a queue ten times what is decided. Exit code 1 if it took too much, lost a case or stayed closed."""
    with _ground(capacity) as ground, _shown() as watch:
        tally = asyncio.run(press(ground, seconds=seconds, watch=watch))
    failures = tally.failures()
    if as_json:
        figures = {name: value for name, value in vars(tally).items() if name not in ("accepted", "sending")}
        show_json(figures | {"accepted": len(tally.accepted), "held": not failures, "failures": failures})
    else:
        _report(tally, failures)
    raise typer.Exit(1 if failures else 0)


@contextmanager
def _ground(capacity: int) -> Iterator[Ground]:
    """A server with a worker, a Postgres and worlds of its own, and the people who use it."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-pressure-") as folder:
        worlds = Path(folder) / "worlds.sqlite"
        more = {"GATEHOUSE_QUEUES": json.dumps({_QUEUE: {"capacity": capacity}})}
        arguments = ("--sandbox", "--worlds", str(worlds))
        with own_servers({}, servers=1, workers=0, arguments=arguments, environment=more) as own:
            own.start(find_registry(read_settings()))
            caller = asyncio.run(own.make_key("caller", ["caller"]))
            reviewer = asyncio.run(own.make_key("reviewer", ["reviewer"], ["finance", "support"]))
            operator = asyncio.run(own.make_key("operator", ["operator"]))
            note(f"Postgres and server are up on {own.urls[0]}.")
            yield Ground(own.urls[0], _QUEUE, _WORKFLOW, worlds, caller, reviewer, operator)


@contextmanager
def _shown() -> Iterator[Callable[[Tally], None]]:
    """Figures that change in place on a terminal, and a line every other second elsewhere."""
    if not ERR.is_terminal:
        looks = 0

        def line(tally: Tally) -> None:
            nonlocal looks
            looks += 1
            if looks % _LINE_EVERY == 1:
                note(", ".join(f"{name} {value}" for name, value in _figures(tally)))

        yield line
        return
    with Live(console=ERR, transient=True) as live:
        yield lambda tally: live.update(_table(tally))


def _figures(tally: Tally) -> list[tuple[str, object]]:
    return [
        ("depth", f"{tally.depth} of {tally.capacity}"),
        ("accepted", len(tally.accepted)),
        ("refused", tally.refused),
        ("decided", tally.decided),
        ("throttled", f"{tally.throttled_s:.1f} s"),
    ]


def _table(tally: Tally) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _figures(tally):
        table.add_row(f"[bold]{name}[/bold]", str(value))
    full = round(30 * tally.depth / max(1, tally.capacity))
    table.add_row("", f"[cyan]{'█' * full}[/cyan][dim]{'░' * (30 - full)}[/dim]")
    what = "callers send ten times what is decided" if tally.sending else "nobody sends any more"
    table.add_row("", f"[dim]{what}; who is refused comes again in {tally.waits_s} s[/dim]")
    return table


def _report(tally: Tally, failures: list[str]) -> None:
    say(f"[bold]{tally.sent}[/bold] cases came: {len(tally.accepted)} were accepted, {tally.refused} were told 429.")
    say(f"{tally.decided} were decided; the last who was refused was told to come again after {tally.waits_s} s.")
    say(f"At most [bold]{tally.deepest} of {tally.capacity}[/bold] waited for reviewers or were on their way.")
    now = "takes none" if tally.throttled else "does"
    say(f"For {tally.throttled_s:.1f} s the queue took no new case; now it {now}.")
    say(f"Of those accepted, {tally.lost} were lost.")
    for failure in failures:
        say(f"[bold red]{failure}[/bold red]")
    if not failures:
        say("[green]It held: never too many, nothing lost, and the throttle ended by itself.[/green]")
