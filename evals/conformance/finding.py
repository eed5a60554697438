"""Words of a check: what a row of the table attacks, and what was seen of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from evals.conformance.rig import Rig

Standing = Literal["held", "leaks", "not run"]


@dataclass(frozen=True)
class Finding:
    """What one attack came to, and in a sentence what the server answered and what was counted."""

    standing: Standing
    seen: str
    seconds: float = 0


Attack = Callable[["Rig"], Awaitable[Finding]]


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    id: str
    attack: str
    """What is tried."""
    wanted: str
    """What a server that holds does."""
    run: Attack


def held_if(holds: bool, seen: str) -> Finding:
    return Finding("held" if holds else "leaks", seen)


class Table(dict[str, Row]):
    """Rows by their ids, as they are written down."""

    def row(self, row_id: str, attack: str, *, wanted: str) -> Callable[[Attack], Attack]:
        """The decorated function is the row's attack."""

        def add(run: Attack) -> Attack:
            self[row_id] = Row(row_id, attack, wanted, run)
            return run

        return add
