"""Gives written replies the keys of the calls that ask for them now. A person has decided that they still hold."""

from dataclasses import dataclass

from engine.models.recording import write_recordings
from engine.wiring import Engine
from evals.case_files import CaseFolder
from evals.playing import play
from evals.replies import RepliesInOrder


@dataclass(frozen=True)
class Rekeyed:
    """What became of one case's replies. With `problems` its file is as it was."""

    case: str
    replies: int
    changed: int
    problems: tuple[str, ...] = ()


async def rekey(engine: Engine, folder: CaseFolder) -> Rekeyed:
    """Play the case with its replies in the order in which they stand, and write them back under today's keys."""
    replies = RepliesInOrder(folder.recordings)
    seen = await play(engine, folder, replies)
    problems = [miss.detail for miss in replies.missed]
    problems += [
        f"nothing asks for the reply no. {number} left of {left.stage!r}"
        for number, left in enumerate(replies.unused(), 1)
    ]
    problems += seen.off_script
    changed = sum(before.key != after.key for before, after in zip(folder.recordings, replies.given, strict=False))
    if not problems and tuple(replies.given) != folder.recordings:
        write_recordings(folder.calls_file, replies.given)
    return Rekeyed(folder.name, len(replies.given), changed, tuple(problems))
