"""Keeps a claimed run's lease alive, and stops the work when the lease is lost or somebody cancels."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from contracts.errors import LeaseLost, StoreUnavailable
from engine.runs.events import Notices
from engine.runs.model import Cancellation, Run
from engine.runs.runs import renew
from engine.store.database import Database


class CancelRequested(Exception):
    """Somebody asked to cancel the run that is being carried."""

    def __init__(self, asked: Cancellation) -> None:
        super().__init__(asked.by)
        self.asked = asked


@dataclass(frozen=True)
class Lease:
    """How long a claim holds and how often it is renewed."""

    seconds: float = 15.0

    @property
    def renew_every_s(self) -> float:
        return self.seconds / 4

    @property
    def send_within_s(self) -> float:
        return self.seconds / 2


@asynccontextmanager
async def held(database: Database, notices: Notices, run: Run, lease: Lease) -> AsyncIterator[None]:
    """Renew the lease while the block runs, and hear at once of a wish to cancel the run.

    Raises `LeaseLost` or `CancelRequested` in the block's place when the block had to be stopped for it.
    """
    block = asyncio.current_task()
    reason: list[Exception] = []

    async def beat() -> None:
        with notices.woken(f"cancel:{run.id}") as wish:
            while True:
                # Not `wait_for`: until Python 3.12 it forgets that it was cancelled when it is woken at that moment.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(lease.renew_every_s):
                        await wish.wait()
                wish.clear()
                try:
                    await _renew(database, run, lease)
                except (LeaseLost, CancelRequested) as error:
                    reason.append(error)
                    if block:
                        block.cancel()
                    return
                except (psycopg.OperationalError, StoreUnavailable):
                    continue  # the lease decides: if the database stays away, somebody else takes over

    if run.epoch > 1:
        await _renew(database, run, lease)  # who held the run before may have died with somebody's wish to cancel it
    heart = asyncio.create_task(beat(), name=f"lease of {run.id}")
    try:
        yield
    except asyncio.CancelledError:
        if reason and block:
            block.uncancel()
            raise reason[0] from None
        raise
    finally:
        await _stopped(heart)


async def _stopped(heart: asyncio.Task[None]) -> None:
    """Cancelled until it has ended: one that beat on would hold the run for ever."""
    while not heart.done():
        heart.cancel()
        await asyncio.wait({heart}, timeout=1)
    if not heart.cancelled():
        heart.result()


async def _renew(database: Database, run: Run, lease: Lease) -> None:
    async with database.transaction() as conn:
        if asked := await renew(conn, run, lease_s=lease.seconds):
            raise CancelRequested(asked)
