"""Whether a run costs more when many threads exist, and when its own thread has come a long way."""

from benchmarks.ground import Ground
from benchmarks.measuring import Pace, Row, timed
from benchmarks.sections import Note
from benchmarks.ways import Way

_MEASURED = 60
_STEPS_A_RUN = {"three_stages": 5, "talk": 3}
"""Checkpoints that a run of each workflow leaves: one for the input, one at its beginning, one a stage."""


async def over_threads(ground: Ground, levels: list[int], note: Note) -> list[Row]:
    """A run of three stages when so many threads exist, each with a run of its own."""
    rows: list[Row] = []
    for way in ground.ways:
        exist = 0
        for level in levels:
            note(f"growth over threads, {way.name}, to {level}")
            await timed(way.run, runs=max(level - exist, 1), callers=16)
            pace = Pace.of(await timed(way.run, runs=_MEASURED, callers=1))
            exist = max(level, exist + 1) + _MEASURED
            rows.append({"way": way.name, "threads": level, "p50_ms": pace.p50_ms, "p95_ms": pace.p95_ms})
    return rows


async def over_steps(ground: Ground, workflow: str, levels: list[int], note: Note) -> list[Row]:
    """A run on a thread that has so many checkpoints already."""
    rows: list[Row] = []
    for way in ground.ways:
        thread, steps = await way.new_thread(), 0
        for level in levels:
            note(f"growth over steps, {workflow}, {way.name}, to {level}")
            while steps < level:
                await way.run_on(thread, workflow)
                steps += _STEPS_A_RUN[workflow]
            pace = await _next_runs(way, thread, workflow)
            steps += _NEXT * _STEPS_A_RUN[workflow]
            rows.append({"way": way.name, "workflow": workflow, "steps": level, "p50_ms": pace.p50_ms})
    return rows


_NEXT = 7


async def _next_runs(way: Way, thread: str, workflow: str) -> Pace:
    async def one() -> None:
        await way.run_on(thread, workflow)

    return Pace.of(await timed(one, runs=_NEXT, callers=1))
