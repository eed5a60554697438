"""How far a run of cases is: a bar on a terminal, one line per 10 % elsewhere."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PARTS = 10


class Finished(Protocol):
    """Anything that has passed or not."""

    @property
    def status(self) -> str: ...


class CaseProgress:
    """A context manager that hears of each finished case."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._finished = 0
        self._passed = 0
        self._bar = Progress(
            TextColumn("cases"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[passed]} passed, left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("cases", total=total, passed=0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def advance(self, result: Finished) -> None:
        """Count one finished case."""
        tenth_before = self._finished * _PARTS // self._total
        self._finished += 1
        self._passed += result.status == "passed"
        self._bar.update(self._task, advance=1, passed=self._passed)
        if not self._console.is_terminal and self._finished * _PARTS // self._total > tenth_before:
            self._console.print(f"{self._finished} of {self._total} cases, {self._passed} passed", highlight=False)
