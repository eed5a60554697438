"""Breaks every model and every tool at every stage that asks it, one at a time, and says what came of the case.

A case that passes through the stage carries the fault. It has to end as cases may end, or wait for a person; no code
may have crashed, and nothing may be done that the case does not expect.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

from contracts.approval import JsonObject
from contracts.errors import GatehouseError
from engine.catalog.workflow import Workflow
from engine.models.faulty import EVERY, FaultyRecordings
from engine.models.recording import Fault as ModelFault
from engine.models.recording import Recordings
from engine.wiring import Engine
from evals.case import WorldFault
from evals.case_files import CaseFolder
from evals.observation import Observation
from evals.playing import play
from evals.scorers import harm
from evals.worlds.faults import FaultKind
from evals.worlds.sandbox import open_worlds

_CRASHED = GatehouseError.code
"""What an error is called that nobody has raised on purpose."""
_DECLARED = ("completed", "rejected", "handed_off", "failed_safe", "cancelled", "expired", "waiting", "refused")
MODEL_FAULTS: tuple[str, ...] = tuple(filter(None, get_args(ModelFault)))
TOOL_FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)
SYSTEMS = frozenset(open_worlds())
"""Outside systems that can be broken."""
_CALLING = ("read", "effect")
"""Kinds of stage that call their tools; others only draft a call, ask about it, or offer it to a model."""
_AT_ONCE = 6


@dataclass(frozen=True)
class Cell:
    """One fault at one stage of a workflow."""

    workflow: str
    stage: str
    of: Literal["model", "tool"]
    name: str
    """Of the prompt or of the tool."""
    kind: str
    carrier: CaseFolder | None
    """None where no case passes through the stage."""


@dataclass(frozen=True)
class Borne:
    """What came of a cell."""

    cell: Cell
    outcome: str
    """Empty where no case passes through the stage."""
    code: str
    """Of the error that ended or diverted the case."""
    problems: tuple[str, ...]
    """Why that must not be; empty: it is borne."""

    @property
    def status(self) -> Literal["passed", "failed"]:
        return "failed" if self.problems else "passed"

    def as_json(self) -> JsonObject:
        cell = self.cell
        return {
            "workflow": cell.workflow,
            "stage": cell.stage,
            "of": cell.of,
            "name": cell.name,
            "fault": cell.kind,
            "case": cell.carrier.name if cell.carrier else "",
            "outcome": self.outcome,
            "code": self.code,
            "problems": list(self.problems),
        }


Ways = Sequence[tuple[CaseFolder, Observation]]
"""What cases did in which nothing goes wrong."""


async def ways_of(engine: Engine, folders: Iterable[CaseFolder]) -> Ways:
    """Play those in which neither a system nor a model fails, as they stand; a recorded system cannot be broken."""
    played = [f for f in folders if f.answered is None]
    whole = [f for f in played if not f.case.faults and not any(reply.fault for reply in f.recordings)]
    return [(folder, await play(engine, folder, Recordings(folder.recordings))) for folder in whole]


def cells_of(workflow: Workflow, ways: Ways) -> Iterator[Cell]:
    """Every stage that asks a model or calls a tool of an outside system, with every fault that can befall it."""
    for stage in workflow.stages.values():
        if stage.prompt:
            carrier = _carrier(ways, stage.name)
            yield from (Cell(workflow.name, stage.name, "model", stage.prompt, kind, carrier) for kind in MODEL_FAULTS)
        for tool in stage.tools if stage.kind in _CALLING else ():
            carrier = _carrier(ways, stage.name, tool)
            if _asks_outside(workflow, tool):
                yield from (Cell(workflow.name, stage.name, "tool", tool, kind, carrier) for kind in TOOL_FAULTS)


async def bear(engine: Engine, cells: Sequence[Cell], *, on_done: Callable[[Borne], None]) -> list[Borne]:
    """Play each of them; several at once, because most of the time is spent waiting. In the order of `cells`."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(cell: Cell) -> Borne:
        async with room:
            borne = await _bear(engine, cell)
        on_done(borne)
        return borne

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(cell)) for cell in cells]
    return [task.result() for task in tasks]


async def _bear(engine: Engine, cell: Cell) -> Borne:
    if cell.of == "tool" and cell.name.partition(".")[0] not in SYSTEMS:
        return Borne(cell, "", "", ("its system has no world in evals/worlds that could be broken",))
    if cell.carrier is None:
        return Borne(cell, "", "", ("no case passes through the stage",))
    folder, replies = cell.carrier, Recordings(cell.carrier.recordings)
    if cell.of == "model":
        replies = FaultyRecordings(folder.recordings, {(cell.name, EVERY): cast(ModelFault, cell.kind)})
    else:
        fault = WorldFault.model_validate({"operation": cell.name, "kind": cell.kind})
        folder = replace(folder, case=folder.case.model_copy(update={"faults": [fault]}))
    seen = await play(engine, folder, replies)
    return Borne(cell, seen.outcome, str(seen.problem.get("code", "")), tuple(problems_of(folder, seen)))


def problems_of(folder: CaseFolder, seen: Observation) -> Iterator[str]:
    """Why what a case did under a fault must not be; nothing where it is borne."""
    if seen.outcome not in _DECLARED:
        yield f"it ended as {seen.outcome!r}, which is no outcome"
    if seen.problem.get("code") == _CRASHED or _CRASHED in seen.errors:
        yield "code has crashed"
    yield from map(str, harm(folder.case.expect, seen))


def _asks_outside(workflow: Workflow, tool: str) -> bool:
    """Whether it can be broken, or sends something: what our own records and code answer has no network to fail on."""
    return tool.partition(".")[0] in SYSTEMS or "send" in workflow.tool(tool).run.__code__.co_names


def _carrier(ways: Ways, stage: str, tool: str = "") -> CaseFolder | None:
    """The shortest case that gets to the stage, and calls the tool there."""
    fitting = [
        (len(seen.path), folder.name, folder)
        for folder, seen in ways
        if stage in seen.path and (not tool or (stage, tool) in seen.calls)
    ]
    return min(fitting, default=(0, "", None), key=lambda one: one[:2])[2]
