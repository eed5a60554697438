"""Anti-patterns of agent workflows, as named demands on a workflow and on what lies around it."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from engine.catalog.workflow import Workflow

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class CaseSaid:
    """What a recorded case is in its collection for, and what it looks at."""

    name: str
    kind: str
    outcome: str
    checks: frozenset[str] = frozenset()
    """What it expects beside the outcome: `effects`, `gates`, `forbidden`, `problem`, `state`, `nowhere`."""


@dataclass(frozen=True)
class RouteSaid:
    """A model that may answer."""

    model: str
    region: str = ""


@dataclass(frozen=True)
class Seen:
    """A workflow and what lies around it."""

    workflow: Workflow
    cases: tuple[CaseSaid, ...] = ()
    routes: tuple[RouteSaid, ...] = ()
    """Models that may answer its prompts."""
    bordered: bool = False
    """Whether it is stated in which regions data stays, so that the gateway asks no model elsewhere."""
    today: date | None = None
    """By which reviews are due; None: nobody asks."""
    code: Mapping[str, str] = field(default_factory=dict)
    """The text of its modules and of those of its tools, by path."""

    @property
    def trees(self) -> Iterator[tuple[str, ast.Module]]:
        """Path and syntax tree of each module."""
        for path, text in self.code.items():
            yield path, ast.parse(text)


@dataclass(frozen=True)
class Pattern:
    """One anti-pattern. Its id is stable."""

    id: str
    level: Level
    why: str
    do: str
    found: Callable[[Seen], Iterator[str]]


@dataclass(frozen=True)
class Sighting:
    """An anti-pattern in a workflow. An `error` keeps `gatehouse check` from passing."""

    pattern: str
    level: Level
    workflow: str
    says: str
    why: str
    do: str


Found = Callable[[Seen], Iterator[str]]


class Patterns(list[Pattern]):
    """Those of one module, in their order."""

    def add(self, name: str, *, do: str, level: Level = "warning") -> Callable[[Found], Found]:
        """Make one of a function; its docstring says why it is one, `do` what to do instead."""

        def made(found: Found) -> Found:
            self.append(Pattern(name, level, (found.__doc__ or "").strip(), do, found))
            return found

        return made


def thinking(workflow: Workflow) -> list[str]:
    """The stages that ask a model."""
    return [stage.name for stage in workflow.stages.values() if stage.kind in ("model", "agent") or stage.prompt]


def sight(seen: Seen, patterns: Iterable[Pattern]) -> list[Sighting]:
    """Every one of `patterns` that is found, errors first."""
    found = [
        Sighting(one.id, one.level, seen.workflow.name, says, one.why, one.do)
        for one in patterns
        for says in dict.fromkeys(one.found(seen))
    ]
    return sorted(found, key=lambda one: one.level)
