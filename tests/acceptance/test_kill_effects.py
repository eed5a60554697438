"""A worker dies at every moment of a case with an effect of each class: what must happen once happens once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest

from engine.access.keys import Principal
from engine.audit.verify import verify
from engine.gateway.outcomes import EffectFilter, Resolution, search_effects
from engine.runs.model import Run
from tests.conftest import TRIALS, Site, fresh_database
from tests.engines import TENANT, Bench, bench_on
from tests.outside import Outside
from tests.standstill import STEADY, Point, Standstill
from tests.workers import Workers, workers_at

KILLS = 2
DOUBTFUL_MOMENTS = 4
"""Around the start and the end of the press; a case stands at one moment only."""
NAMES = ("add", "order", "tally", "announce", "press")
# Who stands at many moments at once holds a connection for each; nothing is swept and nothing delivered meanwhile.
STANDS = {"GATEHOUSE_POOL_SIZE": "30", "GATEHOUSE_CONCURRENCY": "30", "GATEHOUSE_SWEEP_EVERY_S": "600"}
# Moments are numbered by transactions: what a stage computed is written with the next call, however slow the machine.
STANDS |= {"GATEHOUSE_HOLD_S": "60"}
OVER = """
SELECT 1 WHERE NOT EXISTS (SELECT FROM run WHERE status IN ('pending', 'running'))
           AND NOT EXISTS (SELECT FROM effect WHERE state = 'started')
"""
TALLY = "SELECT key, value -> 'numbers' AS numbers FROM tool_record"
OLU = Principal("key:olu", frozenset({"operator"}), frozenset(), TENANT)


@dataclass(frozen=True)
class Ended:
    """What is left of a case: how often each effect was counted, what it came to, and the states of its ledger."""

    counted: tuple[int, ...]
    outcome: str
    ledger: frozenset[str]


def words(point: Point) -> set[str]:
    """What the point's transaction writes."""
    return set(point.label.split(", "))


DONE = frozenset({"done"})
ONCE = Ended((1, 1, 1, 1, 1), "completed", DONE)
IN_DOUBT = {Ended((1, 1, 1, 1, pressed), "None", DONE | {"unknown"}) for pressed in (0, 1)}
"""Only the effect that nobody can ask about waits for a person, whether it happened or not."""


@dataclass(frozen=True)
class Yard:
    """A database whose cases nobody carries but the workers that are started and killed here."""

    bench: Bench
    workers: Workers
    standstill: Standstill
    outside: Outside

    async def open_case(self) -> Run:
        run = await self.bench.accept({"case": "to be named"})
        await self.bench.rows("UPDATE run SET input = jsonb_build_object('case', id) WHERE id = %s", run.id)
        return run

    async def carried_by(self, until: str, **environment: str) -> None:
        """Have a new worker carry what there is until the query finds a row; then kill it."""
        worker = self.workers.start(**STEADY | environment)
        await self.bench.until(until)
        self.workers.end(worker, signal.SIGKILL)

    async def killed_at(self, stands: dict[Point, Run], **environment: str) -> None:
        """Have a new worker stand at one moment of each of these cases, and kill it there."""
        for point, run in stands.items():
            self.standstill.arm(run.thread_id, point)
        worker = self.workers.start(**STEADY | environment)
        for _ in range(1500):
            if len(self.standstill.standing()) == len(stands):
                break
            await asyncio.sleep(0.02)
        assert len(self.standstill.standing()) == len(stands), self.workers.said()[-3000:]
        self.workers.end(worker, signal.SIGKILL)
        self.standstill.cut_off()

    async def ended(self, runs: list[Run]) -> list[Ended]:
        counted, tallies = self.outside.counted(), {row["key"]: row["numbers"] for row in await self.bench.rows(TALLY)}
        states = "SELECT DISTINCT state FROM effect WHERE thread_id = %s"
        return [
            Ended(
                tuple(counted[run.id, n] if n != 3 else tallies[run.id].count(3) for n in range(1, 6)),
                str((await self.bench.again(run)).outcome),
                frozenset(row["state"] for row in await self.bench.rows(states, run.thread_id)),
            )
            for run in runs
        ]

    async def found_out(self) -> list[Run]:
        """The legs that ended after a person had looked into the counter for each effect in doubt."""
        engine, counted, legs = self.bench.engine, self.outside.counted(), []
        async with engine.database.transaction() as conn:
            waiting = await search_effects(conn, EffectFilter(), tenant=TENANT)
        for effect in waiting:
            case = str(effect.args["case"])
            happened = Resolution("happened", {"case": case, "number": 5, "times": 1})
            resolution = happened if counted[case, 5] else Resolution("did_not_happen")
            legs.append((await engine.answers.settle(effect.call_key, resolution, OLU))[1])
        await self.carried_by(OVER)
        return [await self.bench.again(leg) for leg in legs if leg]


@pytest.fixture(scope="module")
async def yard(postgres: str, folder: Path, outside: Outside) -> AsyncIterator[Yard]:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "yard", folder / "yard.sqlite", TRIALS, {"counter": outside.url})
        async with bench_on(site, shared=True) as bench:
            with workers_at(site) as workers, Standstill(dsn) as standstill:
                yield Yard(replace(bench, workflow="ledger"), workers, standstill, outside)


@pytest.fixture(scope="module")
async def moments(yard: Yard) -> tuple[list[Point], list[Point]]:
    """The moments of a case around its effects, when nobody disturbs it, and those of the delivery that follows."""
    run = await yard.open_case()
    await yard.carried_by(f"SELECT 1 FROM run WHERE id = '{run.id}' AND outcome IS NOT NULL", **STANDS)
    carrying = yard.standstill.points(run.thread_id)
    await yard.carried_by(OVER)
    delivering = yard.standstill.points(run.thread_id)[len(carrying) :]
    effects = [p for p in carrying if "call." in p.label or {f"stage.finished {n}" for n in NAMES} & words(p)]
    assert await yard.ended([run]) == [ONCE]
    return effects, delivering


@pytest.mark.slow
@pytest.mark.parametrize("part", range(KILLS))
async def test_effects_of_every_class_survive_a_worker_that_is_killed_at_any_moment(
    yard: Yard, moments: tuple[list[Point], list[Point]], part: int
) -> None:
    stands = {point: await yard.open_case() for point in moments[0][part::KILLS]}

    await yard.killed_at(stands, **STANDS)
    await yard.carried_by(OVER)

    ended = dict(zip(stands, await yard.ended(list(stands.values())), strict=True))
    assert {str(point): end for point, end in ended.items() if end != ONCE and end not in IN_DOUBT} == {}
    resolved = await yard.found_out()
    assert len(resolved) == sum(end in IN_DOUBT for end in ended.values()) <= DOUBTFUL_MOMENTS
    assert {end.counted for end in await yard.ended([*stands.values()])} == {ONCE.counted}
    async with yard.bench.engine.database.transaction() as conn:
        assert (await verify(conn)).findings == ()


@pytest.mark.slow
async def test_a_delivery_survives_a_worker_that_is_killed_at_any_moment(
    yard: Yard, moments: tuple[list[Point], list[Point]]
) -> None:
    runs = []
    for number, point in enumerate(moments[1]):
        runs.append(run := await yard.open_case())
        await yard.carried_by(f"SELECT 1 FROM run WHERE id = '{run.id}' AND outcome IS NOT NULL", **STANDS)
        before = {p.nth for p in yard.standstill.points(run.thread_id) if p.kind == point.kind}
        await yard.killed_at({replace(point, nth=len(before) + 1 + number // 2): run})
        await yard.carried_by(OVER)

    assert len(runs) == 4
    assert {*await yard.ended(runs)} == {ONCE}


def test_the_moments_cover_both_sides_of_each_effect(moments: tuple[list[Point], list[Point]]) -> None:
    found = {(point.moment, word) for point in moments[0] for word in words(point)}

    begun = [f"call.started {name} counter.{name}" for name in NAMES]
    done = [f"call.finished counter.{name}" for name in NAMES if name != "announce"]
    assert {*product(("before", "after"), [*begun, *done])} <= found
    assert "call.finished counter.announce" in set.union(*(words(point) for point in moments[1]))
