"""What a release left waiting is taken up by the present code and brought to its end, once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import VersionChanged
from engine.access.keys import Principal
from engine.audit.verify import verify
from engine.runs.model import Run
from engine.runs.pins import newest_leg
from engine.worker.migration import Move
from evals.worlds.sandbox import effects_of
from tests.conftest import empty_database
from tests.engines import TENANT, Bench
from tests.parked.cases import CASES, RELEASES, Parked, bench_for
from tests.parked.dump import load, read

FILES = sorted(path.relative_to(RELEASES) for path in RELEASES.glob("*/*.json"))
ACTS = {"approve_refund": "billing.issue_refund", "approve_order": "purchasing.place_order"}
"""What is done after a gate."""
ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    with empty_database(postgres) as dsn:
        yield dsn


def test_this_release_has_left_every_case() -> None:
    assert {path.stem for path in FILES} >= set(CASES)


async def leg_of(bench: Bench, dumped: dict[str, Any]) -> Run:
    """The newest run of the case, under the loaded version by an operator's decision."""
    async with bench.engine.database.transaction() as conn:
        leg = await newest_leg(conn, dumped["rows"]["run"][0]["id"])
    loaded = bench.engine.catalog[leg.workflow].version
    if leg.version != loaded:
        await bench.engine.migrator.migrate(leg, Move(leg.version, loaded, "key:olu", "a new release"))
    return await bench.again(leg)


async def answer(bench: Bench, run: Run, case: Parked) -> None:
    """Whatever the case asks: whose word is left approves, the requester names something."""
    open_question = "SELECT interrupt_id FROM question WHERE thread_id = %s AND status = 'open'"
    if waiting := await bench.rows(open_question, run.thread_id):
        said: Any = {str(waiting[0]["interrupt_id"]): {"text": case.says}}
        await bench.engine.answers.resume(run.thread_id, said, ADA)
    else:
        await bench.approve(run, by=case.decided_by)


@pytest.mark.parametrize("file", FILES, ids=str)
async def test_a_case_of_a_release_is_brought_to_its_end(empty: str, folder: Path, file: Path) -> None:
    case, dumped = CASES[file.stem], read(RELEASES / file)
    await load(empty, dumped)

    async with bench_for(case, empty, folder / "parked" / file.parent / file.stem) as bench:
        leg = await leg_of(bench, dumped)
        if case.answered:
            await bench.engine.carrier.advance(leg.id)
        else:
            await answer(bench, leg, case)
        await bench.go_on()
        async with bench.engine.database.transaction() as conn:
            ended, found = await newest_leg(conn, leg.id), await verify(conn)

    assert (ended.status, ended.outcome, found.findings) == ("success", "completed", ())


@pytest.mark.parametrize("file", [f for f in FILES if CASES[f.stem].waits_at in ACTS], ids=str)
async def test_what_was_approved_is_done_once(empty: str, folder: Path, file: Path) -> None:
    case, dumped = CASES[file.stem], read(RELEASES / file)
    await load(empty, dumped)

    async with bench_for(case, empty, folder / "paid" / file.parent / file.stem) as bench:
        leg = await leg_of(bench, dumped)
        if not case.answered:
            await bench.approve(leg, by=case.decided_by)
        await bench.engine.carrier.advance(leg.id)
        await bench.go_on()

        tool, effects = ACTS[case.waits_at], effects_of(bench.worlds)
        shown = [r["args"] for r in dumped["rows"]["approval"] if r["tool"] == tool]
        done = effects.refunds + effects.orders
        assert [r["amount_cents"] for r in done] == [args["amount_cents"] for args in shown]
        assert len(done) == 1


async def test_without_that_decision_it_stays_where_it_is(empty: str, folder: Path) -> None:
    file = FILES[0]
    dumped = read(RELEASES / file)
    dumped["rows"]["run"] = [row | {"version": "another"} for row in dumped["rows"]["run"]]
    dumped["rows"]["workflow_version"] = [row | {"digest": "another"} for row in dumped["rows"]["workflow_version"]]
    await load(empty, dumped)

    async with bench_for(CASES[file.stem], empty, folder / "stays") as bench:
        async with bench.engine.database.transaction() as conn:
            leg = await newest_leg(conn, dumped["rows"]["run"][0]["id"])
        with pytest.raises(VersionChanged):
            await bench.engine.migrator.require_loaded(leg.id)
