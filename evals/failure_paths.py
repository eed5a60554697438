"""The four ways in which an agent goes wrong while every stage does what it says, and the cases that go them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.approval import JsonObject
from engine.wiring import Engine
from evals.case import Kind
from evals.case_files import CaseFolder
from evals.run import Result, run_case

Path = Literal["weak evidence", "tool failure", "ambiguous request", "confident but wrong"]
PATHS: dict[Path, tuple[Kind, ...]] = {
    "weak evidence": ("ugly_conflicting", "ugly_incomplete"),
    "tool failure": ("tool_fault",),
    "ambiguous request": ("clarified", "ugly_vague"),
    "confident but wrong": ("model_wrong",),
}
"""Each with the kinds of case that go it."""


@dataclass(frozen=True)
class Gone:
    """What became of the cases of one workflow that go one of the paths."""

    workflow: str
    path: Path
    cases: int
    outcomes: tuple[str, ...]
    problems: tuple[str, ...]
    """Why that must not be; without a case nobody knows."""

    def as_json(self) -> JsonObject:
        return {
            "workflow": self.workflow,
            "path": self.path,
            "cases": self.cases,
            "outcomes": list(self.outcomes),
            "problems": list(self.problems),
        }


def on_paths(folders: Sequence[CaseFolder]) -> list[CaseFolder]:
    """The cases that go one of them."""
    kinds = {kind for each in PATHS.values() for kind in each}
    return [folder for folder in folders if folder.case.kind in kinds]


async def go(engine: Engine, folders: Sequence[CaseFolder], on_done: Callable[[Result], None]) -> list[Gone]:
    """Play the cases on the paths, and say for each workflow and path what became of them."""
    played = []
    for folder in on_paths(folders):
        played.append((folder, await run_case(engine, folder)))
        on_done(played[-1][1])
    workflows = dict.fromkeys(folder.workflow for folder in folders)
    return [_gone(workflow, path, played) for workflow in workflows for path in PATHS]


def _gone(workflow: str, path: Path, played: Sequence[tuple[CaseFolder, Result]]) -> Gone:
    own = [result for folder, result in played if folder.workflow == workflow and folder.case.kind in PATHS[path]]
    problems = [f"{result.case}: {failure}" for result in own for failure in result.failures]
    problems += [f"{result.case}: its recordings are stale" for result in own if result.status == "stale"]
    problems += [] if own else [f"no case of the kind {' or '.join(PATHS[path])}"]
    outcomes = sorted({result.observation.outcome for result in own})
    return Gone(workflow, path, len(own), tuple(outcomes), tuple(problems))
