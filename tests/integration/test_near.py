"""A run is taken where it is accepted, with its acceptance or not at all, and only while there is a hand free."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import LiteralString, cast

import pytest

from contracts.approval import JsonObject
from engine.runs import runs
from engine.runs.model import NewRun, NewThread, Run
from engine.store.database import Connection
from engine.worker.dispatchers import InlineDispatcher
from engine.worker.near import NearDispatcher
from tests.cases import GRAPH, TWICE
from tests.engines import TENANT, Bench, fresh_bench


class Far(InlineDispatcher):
    """Wake-ups that reach nobody."""

    @property
    def told(self) -> list[str]:
        return self._waiting

    async def work(self, _: object, *, concurrency: int) -> None:
        await asyncio.Event().wait()

    async def forget_dead(self) -> int:
        return 0


@dataclass
class Hands:
    """Takes runs as a worker does, and holds them until they are let go."""

    begun: list[str] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def advance(self, run_id: str) -> None:
        raise AssertionError("nothing wakes us")

    async def claim(self, conn: Connection, run_id: str) -> Run | None:
        return await runs.claim(conn, run_id, owner="near", lease_s=60)

    async def carry(self, run: Run) -> None:
        self.begun.append(run.id)
        await self.let_go.wait()


@dataclass(frozen=True)
class Place:
    bench: Bench
    far: Far
    hands: Hands
    working: asyncio.Task[None]


@pytest.fixture
async def place(postgres: str, folder: Path) -> AsyncIterator[Place]:
    """A process with two hands."""
    async with fresh_bench(postgres, folder) as bench:
        far, hands = Far(), Hands()
        near = NearDispatcher(bench.engine.database, far)
        intake, answers = (replace(room, dispatcher=near) for room in (bench.engine.intake, bench.engine.answers))
        engine = replace(bench.engine, intake=intake, answers=answers)
        working = asyncio.create_task(near.work(hands, concurrency=2))
        await asyncio.sleep(0)
        yield Place(replace(bench, engine=engine), far, hands, working)
        hands.let_go.set()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


def dispute(bench: Bench) -> tuple[NewRun, NewThread]:
    """A run to accept, and the thread to make for it."""
    thread = NewThread(str(uuid.uuid4()), TENANT)
    value: JsonObject = {"complaint": TWICE, "account_id": bench.new_account()}
    return bench.engine.intake.prepared(NewRun(thread.id, TENANT, GRAPH, "key:ada", value)), thread


async def test_a_run_is_taken_with_its_acceptance_and_nobody_else_is_woken(place: Place) -> None:
    run = await place.bench.open_case()
    await asyncio.sleep(0)

    assert (await place.bench.again(run)).status == "running"
    assert (place.hands.begun, place.far.told) == ([run.id], [])


async def test_what_there_is_no_hand_for_is_left_to_others_until_one_is_free(place: Place) -> None:
    held = [await place.bench.open_case() for _ in range(2)]
    left = await place.bench.open_case()
    place.hands.let_go.set()
    await asyncio.sleep(0.01)
    later = await place.bench.open_case()
    await asyncio.sleep(0)

    assert place.hands.begun == [*(run.id for run in held), later.id]
    assert place.far.told == [left.id]
    assert (await place.bench.again(left)).status == "pending"


async def test_a_run_whose_acceptance_is_rolled_back_is_not_begun_and_keeps_no_hand(place: Place) -> None:
    database, intake = place.bench.engine.database, place.bench.engine.intake
    for _ in range(3):
        new, thread = dispute(place.bench)
        with contextlib.suppress(LookupError):
            async with database.transaction() as conn:
                await intake.accept_in(conn, new, thread=thread)
                raise LookupError
    run = await place.bench.open_case()
    await asyncio.sleep(0)

    assert (place.hands.begun, place.far.told) == ([run.id], [])


SLOW_COMMIT = """
CREATE TEMP TABLE slow (n int) ON COMMIT DELETE ROWS;
CREATE FUNCTION pg_temp.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pg_temp.wait();
INSERT INTO slow VALUES (1)
"""


async def test_a_run_whose_acceptance_is_cancelled_while_it_commits_is_begun_all_the_same(place: Place) -> None:
    database, intake, committing = place.bench.engine.database, place.bench.engine.intake, asyncio.Event()
    new, thread = dispute(place.bench)

    async def accept() -> None:
        async with database.transaction() as conn:
            await intake.accept_in(conn, new, thread=thread)
            for statement in SLOW_COMMIT.split(";\n"):
                await conn.execute(cast(LiteralString, statement))
            committing.set()

    accepting = asyncio.create_task(accept())
    await committing.wait()
    await asyncio.sleep(0.1)
    accepting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await accepting
    await asyncio.sleep(0)

    [row] = await place.bench.rows("SELECT id::text, status FROM run")
    assert (place.hands.begun, row["status"]) == ([row["id"]], "running")


async def test_a_run_behind_another_of_its_thread_is_not_taken(place: Place) -> None:
    first = await place.bench.open_case()
    behind = await place.bench.accept(first.input or {}, thread_id=first.thread_id)
    await asyncio.sleep(0)

    assert place.hands.begun == [first.id]
    assert (await place.bench.again(behind)).status == "pending"


async def test_a_process_that_drains_takes_nothing_and_waits_for_what_it_carries(place: Place) -> None:
    run = await place.bench.open_case()
    await asyncio.sleep(0)

    place.working.cancel()
    await asyncio.sleep(0)
    later = await place.bench.open_case()

    assert not place.working.done()
    assert (place.hands.begun, place.far.told) == ([run.id], [later.id])
