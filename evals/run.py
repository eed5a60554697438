"""Runs cases one after the other and judges each."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

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
    """Model calls that found no recorded reply."""
    ms: float

    @property
    def status(self) -> Status:
        return "failed" if self.failures else "stale" if self.missed else "passed"


OnDone = Callable[[Result], None]


async def run_cases(
    engine: Engine, folders: Iterable[CaseFolder], *, on_done: OnDone, keep_going: bool = True
) -> list[Result]:
    """Results in the order of `folders`; without `keep_going`, up to the first case that did not pass."""
    results = []
    for folder in folders:
        result = await run_case(engine, folder)
        results.append(result)
        on_done(result)
        if result.status != "passed" and not keep_going:
            break
    return results


async def run_case(engine: Engine, folder: CaseFolder) -> Result:
    """Play and judge one case."""
    replies, began = RecordedReplies(folder.recordings), time.perf_counter()
    seen = await play(engine, folder, replies)
    found = harm(folder.case.expect, seen) if replies.missed else _judge(folder, seen, replies)
    return Result(
        workflow=folder.workflow,
        case=folder.name,
        title=folder.case.title,
        observation=seen,
        failures=tuple(found),
        missed=tuple(replies.missed),
        ms=(time.perf_counter() - began) * 1000,
    )


def _judge(folder: CaseFolder, seen: Observation, replies: Replies) -> list[Failure]:
    unused = [
        Failure("replies", "every recorded reply asked for", f"nothing asked for one of {reply.stage}")
        for reply in replies.unused()
    ]
    return failures(folder.case.expect, seen) + unused
