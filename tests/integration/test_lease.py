"""A lease is renewed while its run is carried, and not a moment longer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.runs import runs
from engine.runs.events import Notices
from engine.worker.lease import Lease, held
from tests.engines import Bench, fresh_bench


class Bell(Notices):
    """Notices whose waiters are woken by hand."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.engine.database)
        self.rung: list[asyncio.Event] = []

    @contextmanager
    def woken(self, key: str) -> Iterator[asyncio.Event]:
        with super().woken(key) as event:
            self.rung.append(event)
            yield event


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.mark.parametrize("steps", range(8))
async def test_a_lease_ends_with_its_block_also_when_it_is_woken_at_that_moment(bench: Bench, steps: int) -> None:
    accepted, bell = await bench.open_case(), Bell(bench)
    async with bench.engine.database.transaction() as conn:
        run = await runs.claim(conn, accepted.id, owner="somebody", lease_s=60)
    assert run

    async def carry() -> None:
        async with held(bench.engine.database, bell, run, Lease(60)):
            await asyncio.sleep(0.01)
            bell.rung[0].set()
            for _ in range(steps):
                await asyncio.sleep(0)

    block = asyncio.create_task(carry())
    done, _ = await asyncio.wait({block}, timeout=5)

    assert done == {block}
    assert [task for task in asyncio.all_tasks() if task.get_name() == f"lease of {run.id}"] == []
