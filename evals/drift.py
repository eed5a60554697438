"""Whether a model has drifted: a dataset is played with it again and held against what it did when it was accepted."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from evals.run import Result
from evals.significance import Comparison, compare_rates, wilson


class Accepted(BaseModel):
    """What a model did when somebody accepted it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alias: str
    models: tuple[str, ...]
    """How those that answered called themselves."""
    versions: dict[str, str]
    """Of the workflows."""
    passed: dict[str, tuple[bool, ...]]
    """By case whether each of its turns passed."""


@dataclass(frozen=True)
class Drift:
    """What came of a comparison."""

    rates: Comparison
    before: Accepted
    now: Accepted

    @property
    def renamed(self) -> bool:
        """Whether the model that answers calls itself otherwise than when it was accepted: no alarm, but a reason."""
        return self.before.models != self.now.models

    @property
    def worse(self) -> list[str]:
        """Cases that pass less often than they did, the most changed first."""
        lost = {case: _rate(turns) - _rate(self.now.passed[case]) for case, turns in self.before.passed.items()}
        return sorted((case for case, less in lost.items() if less > 0), key=lambda case: (-lost[case], case))

    def as_json(self) -> JsonObject:
        rates: JsonObject = {case: _shown(turns) for case, turns in self.now.passed.items()}
        return {
            **vars(self.rates),
            "alarm": self.rates.answer == "worse",
            "alias": self.now.alias,
            "models": {"accepted": [*self.before.models], "now": [*self.now.models]},
            "worse": [*self.worse],
            "cases_now": rates,
        }


def observed(alias: str, versions: Mapping[str, str], results: Sequence[Result]) -> Accepted:
    """What was played, as it would be accepted."""
    passed: dict[str, list[bool]] = defaultdict(list)
    for result in results:
        passed[f"{result.workflow}/{result.case}"].append(result.status == "passed")
    models = sorted({name for result in results for name in result.observation.models})
    turns = {case: tuple(found) for case, found in passed.items()}
    used = {result.workflow for result in results}
    return Accepted(
        alias=alias, models=tuple(models), versions={w: v for w, v in versions.items() if w in used}, passed=turns
    )


def drift(before: Accepted, now: Accepted) -> Drift:
    """Whether the model does worse. Raises `ConfigurationError` where something else than the model has changed."""
    if before.alias != now.alias:
        raise ConfigurationError(
            f"What was accepted is of the alias {before.alias!r}, and this is {now.alias!r}.",
            hint="Play the same alias, or accept this one: --accept.",
        )
    changed = sorted(name for name, version in now.versions.items() if before.versions.get(name) != version)
    if changed:
        raise ConfigurationError(
            f"The workflow {changed[0]!r} has another version than when it was accepted; that may be all.",
            hint="Accept it anew: --accept.",
        )
    if before.passed.keys() != now.passed.keys():
        other = sorted(before.passed.keys() ^ now.passed.keys())
        raise ConfigurationError(f"The dataset has changed at {other[0]}.", hint="Accept it anew: --accept.")
    return Drift(compare_rates(before.passed, now.passed), before, now)


def read_accepted(file: Path) -> Accepted:
    """Raises `ConfigurationError` where nothing was accepted yet, and for a file that holds something else."""
    if not file.exists():
        raise ConfigurationError(
            "Nothing was accepted for this dataset and alias, so there is nothing to hold it against.",
            hint="Accept what the model does now: --accept.",
        )
    try:
        return Accepted.model_validate_json(file.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigurationError(
            f"{file.name} is none: {where}: {first['msg']}.", hint="Write it anew: --accept."
        ) from error


def write_accepted(file: Path, accepted: Accepted) -> None:
    """One member a line, so that `git diff` reads well."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(accepted.model_dump(mode="json"), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _rate(turns: Sequence[bool]) -> float:
    return sum(turns) / len(turns)


def _shown(turns: Sequence[bool]) -> JsonObject:
    interval = wilson(sum(turns), len(turns))
    return {"passed": sum(turns), "played": len(turns), "low": round(interval.low, 3), "high": round(interval.high, 3)}
