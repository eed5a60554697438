"""What a run holds is written together, in order, once, and by its holder only."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from contracts.errors import LeaseLost
from engine.runs.model import Run
from engine.store.database import Connection
from engine.store.journal import HOLD_S, Journal, Note
from tests.engines import Bench, fresh_bench


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        await bench.rows("CREATE TABLE mark (at bigint GENERATED ALWAYS AS IDENTITY, said text)")
        await bench.rows("GRANT ALL ON mark TO gatehouse_app")
        yield bench


@pytest.fixture
async def held(bench: Bench) -> Run:
    """A run that somebody has claimed."""
    await bench.rows("TRUNCATE mark")
    run = await bench.open_case()
    await bench.rows("UPDATE run SET status = 'running', epoch = epoch + 1 WHERE id = %s", run.id)
    return await bench.again(run)


def saying(text: str) -> Note:
    async def note(conn: Connection) -> None:
        await conn.execute("INSERT INTO mark (said) VALUES (%s)", (text,))

    return note


async def said(bench: Bench) -> list[str]:
    return [row["said"] for row in await bench.rows("SELECT said FROM mark ORDER BY at")]


async def test_what_is_held_is_written_soon_although_nobody_asks(bench: Bench, held: Run) -> None:
    journal = Journal(bench.engine.database, held.id, held.epoch)

    journal.note(saying("a"))
    at_once = await said(bench)
    await asyncio.sleep(HOLD_S * 10)

    assert (at_once, await said(bench)) == ([], ["a"])


async def test_a_transaction_begins_with_what_is_held(bench: Bench, held: Run) -> None:
    journal = Journal(bench.engine.database, held.id, held.epoch)
    journal.note(saying("a"))
    journal.note(saying("b"))

    async with journal.transaction() as conn:
        await saying("c")(conn)

    assert await said(bench) == ["a", "b", "c"]


async def test_who_has_lost_the_run_writes_nothing_of_what_is_held(bench: Bench, held: Run) -> None:
    journal = Journal(bench.engine.database, held.id, held.epoch)
    journal.note(saying("a"))
    await bench.rows("UPDATE run SET epoch = epoch + 1 WHERE id = %s", held.id)

    with pytest.raises(LeaseLost):
        await journal.flush()
    await asyncio.sleep(HOLD_S * 4)

    assert await said(bench) == []


async def test_what_could_not_be_written_is_kept_whole_until_it_is_forgotten(bench: Bench, held: Run) -> None:
    journal = Journal(bench.engine.database, held.id, held.epoch)
    for text in ("a", "not\0text", "b"):
        journal.note(saying(text))
    await asyncio.sleep(HOLD_S * 4)

    with pytest.raises(psycopg.DataError):
        await journal.flush()
    assert await said(bench) == []
    journal.discard()
    journal.note(saying("c"))
    await journal.flush()

    assert await said(bench) == ["c"]


async def test_what_a_failed_transaction_took_is_written_by_the_next(bench: Bench, held: Run) -> None:
    journal = Journal(bench.engine.database, held.id, held.epoch)
    journal.note(saying("a"))

    async def cut_off() -> None:
        async with journal.transaction():
            journal.note(saying("b"))  # what comes meanwhile stays behind it
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await cut_off()
    await journal.flush()

    assert await said(bench) == ["a", "b"]


async def test_what_was_written_when_its_writer_was_cancelled_is_not_written_again(bench: Bench, held: Run) -> None:
    journal, chance = Journal(bench.engine.database, held.id, held.epoch), random.Random(5)
    for number in range(100):
        journal.note(saying(str(number)))
        writing = asyncio.create_task(journal.flush())
        await asyncio.sleep(chance.random() * 0.004)
        writing.cancel()
        await asyncio.wait({writing})

    await journal.flush()

    assert await said(bench) == [str(number) for number in range(100)]
