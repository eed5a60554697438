"""Faults at stages as tables: a row for each stage and what it asks, a column for each fault."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError


class Found(BaseModel):
    """One cell as `gatehouse eval faults --json` writes it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    workflow: str
    stage: str
    of: Literal["model", "tool"]
    name: str
    fault: str
    case: str = ""
    """That carried it."""
    outcome: str
    code: str
    problems: tuple[str, ...]

    @property
    def borne(self) -> bool:
        return not self.problems

    @property
    def says(self) -> str:
        """The outcome, and the error that led there."""
        return f"{self.outcome or 'not reached'}{f' ({self.code})' if self.code else ''}"


class FoundOnPath(BaseModel):
    """What became of the cases of one workflow on one failure path, as it is written there."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    workflow: str
    path: str
    cases: int
    outcomes: tuple[str, ...]
    problems: tuple[str, ...]


class FoundFaults(BaseModel):
    """One file of `gatehouse eval faults --json`."""

    cells: tuple[Found, ...] = ()
    paths: tuple[FoundOnPath, ...] = ()


@dataclass(frozen=True)
class Row:
    """One stage with one thing that it asks."""

    stage: str
    name: str
    cells: tuple[Found, ...]


Matrix = tuple[str, str, tuple[str, ...], tuple[Row, ...]]
"""Workflow, `model` or `tool`, the faults in order, and the rows with a cell for each of them."""


def rows_of(cells: Iterable[JsonObject | Found]) -> list[Matrix]:
    """A table for the models and one for the tools of each workflow, in the order of the cells."""
    found = [cell if isinstance(cell, Found) else Found.model_validate(cell) for cell in cells]
    tables = dict.fromkeys((cell.workflow, cell.of) for cell in found)
    return [_table([c for c in found if (c.workflow, c.of) == (workflow, of)]) for workflow, of in tables]


def read_faults(file: Path) -> FoundFaults:
    """Raises `ConfigurationError` for what `gatehouse eval faults --json` has not written."""
    try:
        return FoundFaults.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        hint = "Write it with: gatehouse eval faults --json > FILE"
        raise ConfigurationError(f"{file.name} holds no faults at stages.", hint=hint) from error


def _table(cells: Sequence[Found]) -> Matrix:
    kinds = tuple(dict.fromkeys(cell.fault for cell in cells))
    rows = dict.fromkeys((cell.stage, cell.name) for cell in cells)
    made = tuple(
        Row(stage, name, tuple(c for c in cells if (c.stage, c.name) == (stage, name))) for stage, name in rows
    )
    return cells[0].workflow, cells[0].of, kinds, made
