"""A worker that drains ends, whatever it carries, and begins nothing that it has given back."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.runs.model import NewRun, NewThread
from engine.runs.threads import create_thread
from engine.wiring import Engine, open_engine, running_worker
from tests.conftest import TRIALS, Site, fresh_database

SHORT_S, LONG_S = 0.8, 2.4


@pytest.fixture
async def engine(postgres: str, folder: Path) -> AsyncIterator[Engine]:
    with fresh_database(postgres) as dsn:
        site = Site(dsn, folder / "drain", folder / "unused", TRIALS)
        async with open_engine(site.settings(concurrency=2), notify=lambda _: None) as engine:
            yield engine


async def accept(engine: Engine, number: int, *, seconds: float) -> None:
    for _ in range(number):
        async with engine.database.transaction() as conn:
            thread = await create_thread(conn, NewThread(str(uuid.uuid4()), "default"))
        await engine.intake.accept(NewRun(str(thread["id"]), "default", "slow", "key:ada", {"seconds": seconds}))


async def epochs(engine: Engine) -> list[int]:
    rows = await engine.database.fetch("SELECT epoch FROM run ORDER BY seq")
    return [int(row["epoch"]) for row in rows]


async def all_begun(engine: Engine) -> None:
    for _ in range(500):
        if 0 not in await epochs(engine):
            return
        await asyncio.sleep(0.02)


async def test_what_a_draining_worker_gives_back_it_does_not_begin_again(engine: Engine) -> None:
    async with running_worker(engine):
        await accept(engine, 2, seconds=SHORT_S)  # begun at once, for there are two hands
        await accept(engine, 2, seconds=LONG_S)  # begun by wake-ups, and still under way when the short ones are back
        await all_begun(engine)

    assert await epochs(engine) == [1, 1, 1, 1]
