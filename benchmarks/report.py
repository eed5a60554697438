"""What the figures were taken on, what they should be, and how they are shown."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.ground import GOVERNED
from benchmarks.measuring import Row

Sections = Mapping[str, list[Row]]


@dataclass(frozen=True)
class Target:
    """One figure that counts."""

    what: str
    wanted: str
    measured: float
    met: bool

    def row(self) -> Row:
        return {"figure": self.what, "wanted": self.wanted, "measured": self.measured, "met": self.met}


def targets(sections: Sections) -> list[Row]:
    """The figures that count, out of what was measured."""
    alone, floor_alone = _of(sections["pace"], callers=1), _of(sections["pace"], way="floor", callers=1)
    share = _of(sections["pace"], callers=16)["of_the_floor"]
    more_ms = round(alone["p50_ms"] - floor_alone["p50_ms"], 2)
    asked = _of(sections["interrupt and resume"])["p50_ms"]
    commits = _of(sections["what Postgres does"])["commits_a_run"]
    rest = _of(sections["memory"])["at_rest_mb"]
    found = [
        Target("pace at 16 callers, of the floor", ">= 0.5", share, share >= 0.5),
        Target("p50 at 1 caller above the floor, ms", "<= 8", more_ms, more_ms <= 8),
        Target("interrupt and resume, p50 ms", "<= 25", asked, asked <= 25),
        Target("commits a run", "<= 14", commits, commits <= 14),
        Target("server with worker at rest, MB", "<= 250", rest, rest <= 250),
    ]
    return [target.row() for target in found]


def machine() -> Row:
    """What the figures depend on beside the code."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in ("langgraph", "langgraph-checkpoint-postgres", "psycopg", "uvloop")},
    }


def show(sections: Sections, on: Row) -> None:
    """Tables on standard output."""
    console = Console()
    for title, rows in sections.items():
        if rows:
            console.print(f"\n[bold]{title}[/bold]")
            console.print(_table(rows))
    console.print("\nmachine: " + ", ".join(f"{name} {value}" for name, value in on.items()))


def _table(rows: list[Row]) -> Table:
    table = Table(*(name.replace("_", " ") for name in rows[0]), box=None)
    for column, value in zip(table.columns, rows[0].values(), strict=True):
        column.justify = "left" if isinstance(value, str) else "right"
        column.no_wrap = True
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    return table


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "[red]no[/red]"
    return str(value)


def _of(rows: list[Row], way: str = GOVERNED, **columns: object) -> Row:
    wanted = {"way": way, **columns}
    return next(row for row in rows if wanted.items() <= row.items())


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
