"""Runs cases one after the other and judges each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, Protocol

from engine.wiring import Engine
from evals.case_files import CaseFolder
from evals.observation import Observation
from evals.playing import play
from evals.replies import Miss, RecordedReplies, Replies
from evals.scorers import Failure, failures, harm

Status = Literal["passed", "failed", "stale"]


@dataclass(frozen=True)
class Result:
    """One case and how it was judged."""

    workflow: str
    case: str
    title: str
    observation: Observation
    failures: tuple[Failure, ...]
    """Without a reply that was asked for, only what is harm all the same."""
    missed: tuple[Miss, ...]
    """Calls of models and tools that found nothing recorded."""
    ms: float
    turn: int = 1
    """Which time it was played, where cases are played more than once."""

    @property
    def status(self) -> Status:
        return "failed" if self.failures else "stale" if self.missed else "passed"


OnDone = Callable[[Result], None]


class Memory(Protocol):
    """What was done before, and where what is done now is kept."""

    def take(self, folder: CaseFolder, turn: int) -> Result | None: ...

    def add(self, folder: CaseFolder, result: Result) -> None: ...


@dataclass(frozen=True)
class Turns:
    """Which cases are played how often."""

    folders: Sequence[CaseFolder]
    repeat: int = 1
    keep_going: bool = True
    """Whether a case that did not pass is followed by others."""

    def __len__(self) -> int:
        return len(self.folders) * self.repeat


async def run_cases(engine: Engine, turns: Turns, memory: Memory, *, on_done: OnDone) -> list[Result]:
    """Results in the order of the cases, turn by turn; what `memory` has is not played again."""
    results = []
    for turn, folder in product(range(1, turns.repeat + 1), turns.folders):
        result = memory.take(folder, turn)
        if result is None:
            result = await run_case(engine, folder, turn)
            memory.add(folder, result)
        results.append(result)
        on_done(result)
        if result.status != "passed" and not turns.keep_going:
            break
    return results


async def run_case(engine: Engine, folder: CaseFolder, turn: int = 1) -> Result:
    """Play and judge one case."""
    replies, began = RecordedReplies(folder.recordings), time.perf_counter()
    seen = await play(engine, folder, replies)
    missed = (*replies.missed, *seen.missed)
    found = harm(folder.case.expect, seen) if missed else _judge(folder, seen, replies)
    return Result(
        workflow=folder.workflow,
        case=folder.name,
        title=folder.case.title,
        observation=seen,
        failures=tuple(found),
        missed=missed,
        ms=(time.perf_counter() - began) * 1000,
        turn=turn,
    )


def _judge(folder: CaseFolder, seen: Observation, replies: Replies) -> list[Failure]:
    unused = [
        Failure("replies", "every recorded reply asked for", f"nothing asked for one of {reply.stage}")
        for reply in replies.unused()
    ]
    return failures(folder.case.expect, seen) + unused
