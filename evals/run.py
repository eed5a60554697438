"""Runs cases one after the other and judges each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal, Protocol

from engine.models.recording import Recordings, write_recordings
from engine.wiring import Engine
from evals.case_files import CaseFolder
from evals.observation import Observation
from evals.playing import play
from evals.replies import Miss, RecordedReplies, Replies
from evals.scorers import Failure, failures, harm
from evals.voices import Live, Voice

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
    live: Live = field(default_factory=Live)
    """Models that are asked in earnest."""
    records: bool = False
    """Whether what they say becomes the recordings of the case, the first time that it passes."""

    def __len__(self) -> int:
        return len(self.folders) * self.repeat


async def run_cases(engine: Engine, turns: Turns, memory: Memory, *, on_done: OnDone) -> list[Result]:
    """Results in the order of the cases, turn by turn; what `memory` has is not played again."""
    results: list[Result] = []
    written: set[Path] = set()
    for turn, folder in product(range(1, turns.repeat + 1), turns.folders):
        result = memory.take(folder, turn)
        if result is None:
            writes = turns.records and folder.folder not in written
            result = await run_case(engine, folder, turn, turns.live, writes=writes)
            memory.add(folder, result)
        if result.status == "passed":
            written.add(folder.folder)
        results.append(result)
        on_done(result)
        if result.status != "passed" and not turns.keep_going:
            break
    return results


async def run_case(
    engine: Engine, folder: CaseFolder, turn: int = 1, live: Live | None = None, *, writes: bool = False
) -> Result:
    """Play and judge one case; with `writes`, what models said becomes its recordings if it passes."""
    replies, began = RecordedReplies(folder.recordings), time.perf_counter()
    voice = Voice(live or Live(), Recordings() if writes else None)
    seen = await play(engine, folder, replies, voice)
    missed = (*replies.missed, *seen.missed)
    asked = partial(voice.live.asks, engine.catalog[folder.workflow])
    found = harm(folder.case.expect, seen) if missed else _judge(folder, seen, replies, asked)
    if voice.kept and not missed and not found:
        kept = [reply for reply in folder.recordings if not asked(reply.stage)]
        write_recordings(folder.calls_file, [*kept, *voice.kept.all()])
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


def _judge(folder: CaseFolder, seen: Observation, replies: Replies, asked: Callable[[str], bool]) -> list[Failure]:
    unused = [
        Failure("replies", "every recorded reply asked for", f"nothing asked for one of {reply.stage}")
        for reply in replies.unused()
        if not asked(reply.stage)  # a live model was, instead
    ]
    models = {recording.model for recording in folder.recordings if asked(recording.stage)}
    found = failures(folder.case.expect, seen)
    # Whose reply it was may stand in the state, and here it is another model's.
    return [one for one in found if not (one.what.startswith("state.") and one.expected in models)] + unused
