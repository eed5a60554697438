"""What `gatehouse eval run --json` has written, read back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from evals.baseline import Baseline

_HINT = "Write it with: gatehouse eval run --json > FILE"
COMPARED = ("outcome", "problem", "path", "gates", "effects")
"""What of a case is the same in every run of the same code."""


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Broken(_Read):
    """An expectation that did not hold."""

    what: str
    expected: str
    actual: str


class Turn(_Read):
    """One case, played once."""

    workflow: str
    case: str
    title: str = ""
    turn: int = 1
    status: Literal["passed", "failed", "stale"]
    outcome: str
    problem: JsonObject = {}
    path: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    decisions: tuple[JsonObject, ...] = ()
    """What people decided, in order."""
    effects: JsonObject = {}
    model_calls: int = 0
    tool_calls: int = 0
    ms: float = 0.0
    failures: tuple[Broken, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.workflow}/{self.case}"

    @property
    def behaviour(self) -> JsonObject:
        return self.model_dump(mode="json", include=set(COMPARED))


class RanCases(_Read):
    """A run of cases."""

    cases: tuple[Turn, ...]
    mode: Literal["replay", "live"] = "replay"

    @cached_property
    def by_case(self) -> Mapping[str, Sequence[Turn]]:
        found: dict[str, list[Turn]] = defaultdict(list)
        for one in self.cases:
            found[one.name].append(one)
        return found

    def only(self, other: "RanCases") -> "RanCases":
        """Without the cases that are not in the other run."""
        return self.model_copy(update={"cases": tuple(turn for turn in self.cases if turn.name in other.by_case)})


def read_results(file: Path) -> RanCases:
    """Raises `ConfigurationError` for what is not there or no result of a run."""
    try:
        return RanCases.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file.name} cannot be read: {error.strerror}.", hint=_HINT) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        said = f"{file.name} holds no results of a run: {where}: {first['msg']}."
        raise ConfigurationError(said, hint=_HINT) from error


def as_results(accepted: Mapping[str, Baseline]) -> RanCases:
    """Accepted baselines by workflow, as if they had been run."""
    turns = [
        Turn.model_validate({**entry, "workflow": workflow, "case": case, "status": "passed"})
        for workflow, baseline in accepted.items()
        for case, entry in baseline.items()
    ]
    return RanCases(cases=tuple(turns))
