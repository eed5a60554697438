"""What is compared on one ground: pace, an interrupt and its resume, the first event, what Postgres does, memory."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.costs import Sizes
from benchmarks.ground import Ground
from benchmarks.measuring import Pace, Row, Times, median_of, timed
from benchmarks.processes import cpu_s
from benchmarks.ways import Way

Note = Callable[[str], None]
CALLERS = (1, 16)
_LOGGED = 50


@dataclass(frozen=True)
class Effort:
    """How much is measured; the median of `repeats` is told, and ways take turns in each repeat."""

    runs: int
    repeats: int
    at_most_s: float
    """For one measurement: a slow way is measured by fewer runs."""


QUICK, FULL = Effort(runs=100, repeats=3, at_most_s=2.5), Effort(runs=400, repeats=5, at_most_s=15)


async def warm_up(ground: Ground, effort: Effort, note: Note) -> None:
    """Not measured: imports, connections, prepared statements."""
    note("warming up")
    for way in ground.ways:
        await timed(way.run, runs=min(48, effort.runs), callers=16, at_most_s=5)
        await timed(way.ask_and_answer, runs=4, callers=2, at_most_s=2)
        await way.first_event_ms()


async def pace(ground: Ground, effort: Effort, note: Note) -> list[Row]:
    """Three stages of code without a tool, from nothing to the result."""
    rows = []
    for callers in CALLERS:
        found: dict[str, list[Pace]] = {way.name: [] for way in ground.ways}
        for repeat in range(effort.repeats):
            for way in ground.ways:
                note(f"three stages, {callers} callers, {way.name}, {repeat + 1} of {effort.repeats}")
                times = await timed(way.run, runs=effort.runs, callers=callers, at_most_s=effort.at_most_s)
                found[way.name].append(Pace.of(times))
        medians = {name: median_of(repeats) for name, repeats in found.items()}
        floor = medians[ground.ways[0].name]
        for name, median in medians.items():
            share = round(median.runs_per_s / floor.runs_per_s, 2)
            rows.append({"way": name, "callers": callers, **median.row(), "of_the_floor": share})
    return rows


async def interrupt_and_resume(ground: Ground, effort: Effort, note: Note) -> list[Row]:
    """A thread, a run that asks, a run that answers: three requests over HTTP."""
    return [
        {"way": way.name, **(await _alone(way.ask_and_answer, effort, f"interrupt and resume, {way.name}", note)).row()}
        for way in ground.ways
    ]


async def first_event(ground: Ground, effort: Effort, note: Note) -> list[Row]:
    """Until the first state of a streamed run is there."""
    rows: list[Row] = []
    for way in ground.ways:
        note(f"first event, {way.name}")
        first = list[float]()

        async def one(way: Way = way, first: list[float] = first) -> None:
            first.append(await way.first_event_ms())

        await timed(one, runs=effort.runs, callers=1, at_most_s=effort.at_most_s)
        pace = Pace.of(Times(first, seconds=sum(first) / 1000))
        rows.append({"way": way.name, "p50_ms": pace.p50_ms, "p95_ms": pace.p95_ms})
    return rows


async def database_cost(ground: Ground, effort: Effort, note: Note) -> list[Row]:
    """What one run of three stages makes Postgres do; ways that keep nothing there are left out."""
    rows: list[Row] = []
    for way in (way for way in ground.ways if way.name in ground.databases):
        note(f"what Postgres does, {way.name}")
        dsn, runs = ground.databases[way.name], effort.runs
        before = Sizes.of(dsn)
        await timed(way.run, runs=runs, callers=4)
        after = Sizes.of(dsn)
        with ground.cluster.traffic(dsn) as traffic:
            await timed(way.run, runs=_LOGGED, callers=4)
        rows.append(
            {
                "way": way.name,
                "commits_a_run": round(traffic.transactions / _LOGGED, 1),
                "statements_a_run": round(traffic.statements / _LOGGED, 1),
                "kept_kb_a_run": round((after.kept - before.kept) / runs / 1000, 1),
                "wal_kb_a_run": round((after.wal - before.wal) / runs / 1000, 1),
            }
        )
    return rows


async def processor_time(ground: Ground, effort: Effort, note: Note) -> list[Row]:
    """Of one run of three stages at 4 callers: hardly changed by what else the machine does.

    The floor's own time is that of this process, which carries its runs; what it spends on calling servers is left out.
    """
    rows: list[Row] = []
    for way in ground.ways:
        note(f"processor time, {way.name}")
        served = ground.processes.get(way.name)
        pids = (served.pid if served else os.getpid(), ground.cluster.pid)
        before = [cpu_s(pid) for pid in pids]
        times = await timed(way.run, runs=effort.runs, callers=4, at_most_s=effort.at_most_s)
        own, postgres = ((cpu_s(pid) - was) * 1000 / len(times.each_ms) for pid, was in zip(pids, before, strict=True))
        rows.append({"way": way.name, "own_ms_a_run": round(own, 1), "postgres_ms_a_run": round(postgres, 1)})
    return rows


def memory(ground: Ground, at_rest: dict[str, float]) -> list[Row]:
    """Resident memory of the server processes, before and under load."""
    return [
        {"way": name, "at_rest_mb": round(at_rest[name]), "peak_mb": round(served.peak_mb())}
        for name, served in ground.processes.items()
    ]


async def _alone(one: Callable[[], Awaitable[object]], effort: Effort, what: str, note: Note) -> Pace:
    note(what)
    runs = max(20, effort.runs // 3)
    repeats = range(effort.repeats)
    return median_of([Pace.of(await timed(one, runs=runs, callers=1, at_most_s=effort.at_most_s)) for _ in repeats])
